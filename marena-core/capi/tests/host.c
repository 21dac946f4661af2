/* The C interface on the host: errors, then threads that allocate at once. Runs under valgrind and
   AddressSanitizer, too. */

#include "errors.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { THREADS = 4, BLOCKS = 500, SIZE = 48 };

_Alignas(128) static unsigned char region[128 + THREADS * BLOCKS * SIZE];
static marena_t arena;

static void *allocate(void *number) {
    static int intact[THREADS];
    unsigned char *blocks[BLOCKS];
    int thread = *(int *)number, block, byte;
    for (block = 0; block < BLOCKS; block++) {
        marena_address_t address;
        size_t size;
        if (marena_allocate(&arena, SIZE, &address) != MARENA_OK ||
            marena_view(&arena, address, (void **)&blocks[block], &size) != MARENA_OK || size != SIZE)
            return NULL;
        memset(blocks[block], 1 + thread, SIZE);
    }
    for (block = 0; block < BLOCKS; block++)
        for (byte = 0; byte < SIZE; byte++)
            if (blocks[block][byte] != 1 + thread)
                return NULL;
    return &intact[thread];
}

int main(void) {
    pthread_t threads[THREADS];
    int numbers[THREADS], thread, failures = errors();
    size_t remaining = 1;
    if (marena_init(&arena, region, sizeof region) != MARENA_OK)
        return 1;
    for (thread = 0; thread < THREADS; thread++) {
        numbers[thread] = thread;
        if (pthread_create(&threads[thread], NULL, allocate, &numbers[thread]) != 0)
            return 1;
    }
    for (thread = 0; thread < THREADS; thread++) {
        void *intact = NULL;
        if (pthread_join(threads[thread], &intact) != 0 || intact == NULL) {
            printf("thread %d lost a block or its content\n", thread);
            failures++;
        }
    }
    if (marena_remaining(&arena, &remaining) != MARENA_OK || remaining != 0) {
        printf("%zu bytes are left of a region that four threads fill\n", remaining);
        failures++;
    }
    printf("%d failures\n", failures);
    return failures != 0;
}
