/* Configuration text: any bytes are taken, or refused with a sentence; never half of each. */
#include "config.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "params.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t data_bytes);

/* Unlike assert(), never compiled out. */
static void require(bool truth)
{
    if (!truth)
        abort();
}

/* What a file could set a flag can set too: prints the field and sets it again. */
static void check_field(const struct conf *c, const struct param *p)
{
    struct conf again;
    char error[CONF_ERROR_MAX], number[32];
    const char *text = (const char *)c + p->offset;
    conf_init(&again);
    if (p->kind == PARAM_STRING || p->kind == PARAM_CHOICE) {
        require(memchr(text, '\0', p->bytes) != NULL);
    } else {
        uint64_t v;
        memcpy(&v, text, sizeof(v));
        snprintf(number, sizeof(number), "%" PRIu64 "%s", v, p->kind == PARAM_TIME ? "ns" : "");
        text = number;
    }
    require(conf_set(&again, error, p->name, text) == 0);
    require(memcmp((char *)&again + p->offset, (const char *)c + p->offset, p->bytes) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t data_bytes)
{
    struct conf defaults, c;
    char error[CONF_ERROR_MAX] = "";
    conf_init(&defaults);
    conf_init(&c);
    int err = conf_parse(&c, error, "input", (const char *)data, data_bytes);
    if (err < 0) {
        require(strncmp(error, "input:", 6) == 0 && error[6] >= '1' && error[6] <= '9');
        require(strchr(error, '\n') == NULL);
        require(memcmp(&c, &defaults, sizeof(c)) == 0);
        return 0;
    }
    const struct param *p;
    for (size_t i = 0; (p = param_at(i)) != NULL; i++)
        check_field(&c, p);
    if (conf_check(&c, error) < 0)
        require(error[0] != '\0');
    conf_apply_live(&defaults, &c);
    return 0;
}
