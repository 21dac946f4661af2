/* From reset to main: memory is initialised, and every exception has a handler. */

#include <stdint.h>
#include <stdlib.h>

extern uint32_t data_start[], data_end[], data_image[], bss_start[], bss_end[], stack_top[];
extern void initialise_monitor_handles(void);
extern int main(void);
extern void systick_handler(void);

void reset(void) {
    uint32_t *to, *from = data_image;
    for (to = data_start; to < data_end; to++)
        *to = *from++;
    for (to = bss_start; to < bss_end; to++)
        *to = 0;
    initialise_monitor_handles();
    exit(main());
}

/* A fault ends the program with a status that says so. */
static void fault(void) {
    _Exit(2);
}

__attribute__((section(".vectors"), used)) static void (*const vectors[])(void) = {
    (void (*)(void))stack_top, reset, fault, fault, fault, fault, fault, 0, 0, 0, 0, fault, fault, 0, fault, systick_handler,
};
