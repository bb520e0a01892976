/* Tells AddressSanitizer which pool memory is free, so that it finds a use after pool_give() as it
 * finds one after free(). Nothing in other builds.
 */
#ifndef DAEMON_POOL_POISON_H
#define DAEMON_POOL_POISON_H

#include <stddef.h>

#if defined(__SANITIZE_ADDRESS__)
#define POOL_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define POOL_ASAN 1
#endif
#endif

#ifdef POOL_ASAN
#include <sanitizer/asan_interface.h>
#endif

static inline void pool_poison(void *p, size_t bytes)
{
#ifdef POOL_ASAN
    __asan_poison_memory_region(p, bytes);
#else
    (void)p, (void)bytes;
#endif
}

static inline void pool_unpoison(void *p, size_t bytes)
{
#ifdef POOL_ASAN
    __asan_unpoison_memory_region(p, bytes);
#else
    (void)p, (void)bytes;
#endif
}

#undef POOL_ASAN

#endif
