/* Packets from an interrupt handler to main, in an arena that is reset frame by frame. Main
   allocates in it as well. */

#include "marena.h"
#include "errors.h"

#include <stdint.h>
#include <stdio.h>

/* The SysTick timer's registers. */
#define SYST_CSR (*(volatile uint32_t *)0xE000E010)
#define SYST_RVR (*(volatile uint32_t *)0xE000E014)
#define SYST_CVR (*(volatile uint32_t *)0xE000E018)

enum { INTERRUPTS = 10000, BLOCKS_PER_FRAME = 1024 };

_Alignas(128) static unsigned char region[16 * 1024];
static marena_t arena;

/* Claims of one side since the frame began, each filled with a number of its own. */
struct side {
    marena_address_t blocks[BLOCKS_PER_FRAME];
    uint32_t first, count, total, random;
};

static struct side main_side, handler_side;
static volatile int frame_is_full;

static uint32_t next_random(struct side *side) {
    side->random = side->random * 1664525u + 1013904223u;
    return side->random >> 16;
}

/* Allocates 8 to 36 bytes and fills them; 0 when the arena or the frame is full. */
static int allocate(struct side *side) {
    uint32_t *words, word, size = 4 * (2 + next_random(side) % 8);
    marena_address_t address;
    size_t found;
    if (side->count == BLOCKS_PER_FRAME || marena_allocate(&arena, size, &address) != MARENA_OK)
        return 0;
    if (marena_view(&arena, address, (void **)&words, &found) != MARENA_OK || found != size)
        return 0;
    for (word = 0; word < size / 4; word++)
        words[word] = side->first + 2 * side->total;
    side->blocks[side->count++] = address;
    side->total++;
    return 1;
}

/* Reads all blocks of a side again and forgets them; how many are not as they were written. */
static int check(struct side *side) {
    uint32_t block, word, *words, damaged = 0;
    for (block = 0; block < side->count; block++) {
        uint32_t number = side->first + 2 * (side->total - side->count + block), wrong = 0;
        size_t size = 0;
        wrong |= marena_view(&arena, side->blocks[block], (void **)&words, &size) != MARENA_OK;
        for (word = 0; word < size / 4; word++)
            wrong |= words[word] ^ number;
        damaged += wrong != 0;
    }
    side->count = 0;
    return (int)damaged;
}

void systick_handler(void) {
    if (!allocate(&handler_side))
        frame_is_full = 1;
    SYST_RVR = 1000 + next_random(&handler_side) % 1000;
    SYST_CVR = 0;
}

int main(void) {
    int overlaps = 0, frames = 0, failures = errors();
    main_side.first = 2;
    handler_side.first = 1;
    if (marena_init(&arena, region, sizeof region) != MARENA_OK)
        return 1;
    SYST_RVR = 1000;
    SYST_CVR = 0;
    SYST_CSR = 7;
    while (handler_side.total < INTERRUPTS) {
        while (allocate(&main_side) && !frame_is_full) {
        }
        __asm volatile("cpsid i" ::: "memory");
        overlaps += check(&main_side) + check(&handler_side);
        failures += marena_reset(&arena) != MARENA_OK;
        frames++;
        frame_is_full = 0;
        __asm volatile("cpsie i" ::: "memory");
    }
    SYST_CSR = 0;
    printf("%lu interrupts and %lu calls of main allocated in %d frames, %d overlaps; %d checks of errors failed\n",
           (unsigned long)handler_side.total, (unsigned long)main_side.total, frames, overlaps, failures);
    return overlaps != 0 || failures != 0 || main_side.total < INTERRUPTS;
}
