/* Names of the wire's numbers, for both ends of it. */
#include "config.h"

#include "wire.h"

const char *wire_status_name(unsigned status)
{
    switch (status) {
#define STATUS(code, upper, name, sentence)                                                        \
    case code:                                                                                     \
        return name;
#include "status.def"
#undef STATUS
    default:
        return "unknown";
    }
}

const char *wire_status_sentence(unsigned status)
{
    switch (status) {
#define STATUS(code, upper, name, sentence)                                                        \
    case code:                                                                                     \
        return sentence;
#include "status.def"
#undef STATUS
    default:
        return "unknown status";
    }
}
