/* Every mistake of C that the library can detect is an error code and changes nothing. */

#include "errors.h"

#include <stdio.h>
#include <string.h>

static int failures;

#define EXPECT(condition)                                                                                              \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            printf("%s:%d: %s\n", __FILE__, __LINE__, #condition);                                                     \
            failures++;                                                                                                \
        }                                                                                                              \
    } while (0)

_Alignas(128) static unsigned char region[4096];
_Alignas(128) static unsigned char other_region[1024];
static marena_t arena;
static marena_t other;
static marena_t never;

static size_t remaining(const marena_t *of) {
    size_t bytes = 0;
    EXPECT(marena_remaining(of, &bytes) == MARENA_OK);
    return bytes;
}

static void regions_that_cannot_be(void) {
    EXPECT(marena_init(NULL, region, sizeof region) == MARENA_ERROR_NULL);
    EXPECT(marena_init(&arena, NULL, sizeof region) == MARENA_ERROR_NULL);
    EXPECT(marena_init((marena_t *)((char *)&arena + 1), region, sizeof region) == MARENA_ERROR_MISALIGNED);
    EXPECT(marena_init(&arena, region + 1, 1024) == MARENA_ERROR_MISALIGNED);
    EXPECT(marena_init(&arena, region + 64, 1024) == MARENA_ERROR_MISALIGNED);
    EXPECT(marena_init(&arena, region, 0) == MARENA_ERROR_TOO_SMALL);
    EXPECT(marena_init(&arena, region, 135) == MARENA_ERROR_TOO_SMALL);
    EXPECT(marena_init(&arena, region, SIZE_MAX) == MARENA_ERROR_TOO_LARGE);
    EXPECT(marena_init(&arena, region, SIZE_MAX / 2 + 1) == MARENA_ERROR_TOO_LARGE);
    EXPECT(marena_attach(&arena, region, sizeof region) == MARENA_ERROR_NOT_AN_ARENA);
    EXPECT(marena_attach(NULL, region, sizeof region) == MARENA_ERROR_NULL);
    EXPECT(marena_attach(&arena, NULL, 0) == MARENA_ERROR_NULL);
}

static void calls_without_an_arena(void) {
    marena_address_t address = 7;
    size_t size = 7;
    void *bytes = &size;
    marena_stats_t stats;
    EXPECT(marena_allocate(&never, 8, &address) == MARENA_ERROR_UNINITIALISED);
    EXPECT(marena_allocate(NULL, 8, &address) == MARENA_ERROR_NULL);
    EXPECT(marena_allocate_aligned(&never, 8, 8, &address) == MARENA_ERROR_UNINITIALISED);
    EXPECT(marena_allocate_multiple(NULL, &address, 1) == MARENA_ERROR_NULL);
    EXPECT(marena_view(&never, (marena_address_t)128 << 32 | 8, &bytes, &size) == MARENA_ERROR_UNINITIALISED);
    EXPECT(marena_reset(&never) == MARENA_ERROR_UNINITIALISED);
    EXPECT(marena_reset(NULL) == MARENA_ERROR_NULL);
    EXPECT(marena_remaining(&never, &size) == MARENA_ERROR_UNINITIALISED);
    EXPECT(marena_stats(NULL, &stats) == MARENA_ERROR_NULL);
    EXPECT(address == 7 && size == 7 && bytes == &size);
}

static void a_second_init_over_live_memory(void) {
    marena_t second = {{0}};
    marena_address_t address;
    EXPECT(marena_init(&arena, region, sizeof region) == MARENA_OK);
    EXPECT(marena_allocate(&arena, 100, &address) == MARENA_OK);
    EXPECT(marena_init(&arena, region, sizeof region) == MARENA_ERROR_IN_USE);
    EXPECT(marena_init(&second, region, sizeof region) == MARENA_ERROR_IN_USE);
    EXPECT(marena_init(&second, region, 1024) == MARENA_ERROR_IN_USE);
    EXPECT(remaining(&arena) == sizeof region - 128 - 104);
    EXPECT(marena_attach(&second, region, 1024) == MARENA_ERROR_NOT_AN_ARENA);
    EXPECT(marena_attach(&second, region, sizeof region) == MARENA_OK);
    EXPECT(remaining(&second) == sizeof region - 128 - 104);
}

static void requests_that_cannot_be_served(void) {
    size_t before = remaining(&arena);
    marena_address_t address = 7;
    marena_address_t sizes[2] = {8, SIZE_MAX};
    EXPECT(marena_allocate(&arena, SIZE_MAX, &address) == MARENA_ERROR_SIZE);
    EXPECT(marena_allocate(&arena, before + 1, &address) == MARENA_ERROR_FULL);
    EXPECT(marena_allocate(&arena, 8, NULL) == MARENA_ERROR_NULL);
    EXPECT(marena_allocate(&arena, 8, (marena_address_t *)((char *)sizes + 1)) == MARENA_ERROR_MISALIGNED);
    EXPECT(marena_allocate_aligned(&arena, 8, 0, &address) == MARENA_ERROR_ALIGNMENT);
    EXPECT(marena_allocate_aligned(&arena, 8, 3, &address) == MARENA_ERROR_ALIGNMENT);
    EXPECT(marena_allocate_aligned(&arena, 8, SIZE_MAX, &address) == MARENA_ERROR_ALIGNMENT);
    EXPECT(marena_allocate_aligned(&arena, 8, 8, NULL) == MARENA_ERROR_NULL);
    EXPECT(marena_allocate_multiple(&arena, sizes, 2) == MARENA_ERROR_SIZE);
    sizes[1] = before;
    EXPECT(marena_allocate_multiple(&arena, sizes, 2) == MARENA_ERROR_FULL);
    EXPECT(sizes[0] == 8 && sizes[1] == before);
    EXPECT(marena_allocate_multiple(&arena, NULL, 2) == MARENA_ERROR_NULL);
    EXPECT(marena_allocate_multiple(&arena, sizes, SIZE_MAX) == MARENA_ERROR_TOO_LARGE);
    EXPECT(marena_allocate_multiple(&arena, sizes, SIZE_MAX / 8) == MARENA_ERROR_TOO_LARGE);
    EXPECT(address == 7);
    EXPECT(remaining(&arena) == before);
    EXPECT(marena_remaining(&arena, NULL) == MARENA_ERROR_NULL);
    EXPECT(marena_stats(&arena, NULL) == MARENA_ERROR_NULL);
}

static void what_is_served_after_all_that(void) {
    marena_address_t sizes[3] = {24, 5, 100};
    marena_address_t address;
    unsigned char *bytes;
    size_t size, index, block;
    EXPECT(marena_allocate_multiple(&arena, sizes, 3) == MARENA_OK);
    for (block = 0; block < 3; block++) {
        EXPECT(marena_view(&arena, sizes[block], (void **)&bytes, &size) == MARENA_OK);
        EXPECT(size == (block == 0 ? 24u : block == 1 ? 5u : 100u));
        for (index = 0; index < size; index++)
            EXPECT(bytes[index] == 0);
        memset(bytes, 0xa5, size);
    }
    EXPECT(marena_allocate_multiple(&arena, sizes, 0) == MARENA_OK);
    EXPECT(marena_allocate_aligned(&arena, 10, 256, &address) == MARENA_OK);
    EXPECT(marena_view(&arena, address, (void **)&bytes, &size) == MARENA_OK);
    EXPECT((uintptr_t)bytes % 256 == 0 && size == 10);
    EXPECT(marena_allocate(&arena, 0, &address) == MARENA_OK);
}

static void addresses_that_are_not_this_arenas(void) {
    static const marena_address_t impossible[] = {0, 8, UINT64_MAX, (marena_address_t)127 << 32 | 1};
    marena_address_t address, foreign;
    void *bytes = NULL;
    size_t size, index;
    EXPECT(marena_init(&other, other_region, sizeof other_region) == MARENA_OK);
    EXPECT(marena_allocate(&other, 8, &foreign) == MARENA_OK);
    EXPECT(marena_allocate(&arena, 64, &address) == MARENA_OK);
    EXPECT(marena_view(&other, address, &bytes, &size) == MARENA_ERROR_ADDRESS);
    for (index = 0; index < sizeof impossible / sizeof *impossible; index++)
        EXPECT(marena_view(&arena, impossible[index], &bytes, &size) == MARENA_ERROR_ADDRESS);
    EXPECT(marena_view(&arena, address, NULL, &size) == MARENA_ERROR_NULL);
    EXPECT(marena_view(&arena, address, &bytes, NULL) == MARENA_ERROR_NULL);
    EXPECT(bytes == NULL);
    EXPECT(marena_reset(&arena) == MARENA_OK);
    EXPECT(marena_view(&arena, address, &bytes, &size) == MARENA_ERROR_ADDRESS);
    EXPECT(marena_view(&arena, foreign, &bytes, &size) == MARENA_ERROR_ADDRESS);
}

static void a_reset_arena(void) {
    marena_address_t address;
    unsigned char *bytes;
    marena_stats_t stats;
    size_t size, index;
    EXPECT(remaining(&arena) == sizeof region - 128);
    EXPECT(marena_allocate(&arena, remaining(&arena), &address) == MARENA_OK);
    EXPECT(marena_view(&arena, address, (void **)&bytes, &size) == MARENA_OK);
    EXPECT(size == sizeof region - 128);
    for (index = 0; index < size; index++)
        EXPECT(bytes[index] == 0);
    EXPECT(marena_stats(&arena, &stats) == MARENA_OK);
    EXPECT(stats.capacity == sizeof region && stats.used == size && stats.remaining == 0);
    EXPECT(stats.high_water == size && stats.stranded == 0);
}

static void a_damaged_header(void) {
    marena_t second = {{0}};
    marena_address_t address;
    size_t byte;
    /* Calls return, whatever the header holds. The other region is not used any more, so it may be
       damaged. */
    for (byte = 0; byte < 128; byte++) {
        memset(other_region, 0, sizeof other_region);
        EXPECT(marena_init(&second, other_region, sizeof other_region) == MARENA_OK);
        other_region[byte] ^= 0xff;
        (void)marena_attach(&second, other_region, sizeof other_region);
        (void)marena_allocate(&second, 8, &address);
        EXPECT(remaining(&second) <= sizeof other_region - 128);
    }
    memset(other_region, 0xff, sizeof other_region);
    EXPECT(marena_attach(&second, other_region, sizeof other_region) == MARENA_ERROR_NOT_AN_ARENA);
}

int errors(void) {
    regions_that_cannot_be();
    calls_without_an_arena();
    a_second_init_over_live_memory();
    requests_that_cannot_be_served();
    what_is_served_after_all_that();
    addresses_that_are_not_this_arenas();
    a_reset_arena();
    a_damaged_header();
    return failures;
}
