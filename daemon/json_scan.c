/* One pass over the line that knows three things: strings, brackets, and the key "id".
 *
 * It does not judge the JSON; the parser does that afterwards, on the same bytes. An "id" spelt
 * with escapes, or one that is no scalar, is not found here.
 */
#include "config.h"

#include "json_scan.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static size_t skip_space(const char *p, size_t i, size_t n)
{
    while (i < n && is_space(p[i]))
        i++;
    return i;
}

/* From an opening quote to the byte behind the closing one, or to n. */
static size_t skip_string(const char *p, size_t i, size_t n)
{
    for (i++; i < n; i++) {
        if (p[i] == '\\')
            i++;
        else if (p[i] == '"')
            return i + 1;
    }
    return n;
}

/* To the byte behind a scalar that begins at i; i itself for an object or array. */
static size_t skip_scalar(const char *p, size_t i, size_t n)
{
    if (i < n && p[i] == '"')
        return skip_string(p, i, n);
    while (i < n && !is_space(p[i]) && strchr(",:{}[]\"", p[i]) == NULL)
        i++;
    return i;
}

/* The string p[begin, end) stands at the top level: notes what follows it if it is the id's key. */
static void look_for_id(struct json_scan *out, const char *p, size_t begin, size_t end, size_t n)
{
    static const char key[] = "\"id\"";
    size_t i = skip_space(p, end, n);

    if (out->id != NULL || end - begin != sizeof(key) - 1 ||
        memcmp(p + begin, key, sizeof(key) - 1) != 0 || i == n || p[i] != ':')
        return;
    i = skip_space(p, i + 1, n);
    size_t id_end = skip_scalar(p, i, n);
    if (id_end > i) {
        out->id = p + i;
        out->id_bytes = id_end - i;
    }
}

int json_scan(struct json_scan *out, const char *line, size_t line_bytes, unsigned max_depth)
{
    unsigned depth = 0;

    *out = (struct json_scan){NULL, 0};
    for (size_t i = 0; i < line_bytes;) {
        switch (line[i]) {
        case '"': {
            size_t end = skip_string(line, i, line_bytes);
            if (depth == 1)
                look_for_id(out, line, i, end, line_bytes);
            i = end;
            continue;
        }
        case '{':
        case '[':
            if (++depth > max_depth)
                return -E2BIG;
            break;
        case '}':
        case ']':
            if (depth > 0)
                depth--;
            break;
        default:
            break;
        }
        i++;
    }
    return 0;
}
