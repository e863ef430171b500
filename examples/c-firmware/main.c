/* Recognises a handwritten digit with a model that smolnn compiled to a static library, on a Cortex-M4 or an RV32IMAC under QEMU. */
#include "digits.h"

/* Output and the end of the run by semihosting: the debugger, here QEMU, does what a word in a register asks for. */
enum { SYS_WRITE0 = 0x04, SYS_EXIT_EXTENDED = 0x20 };

static void semihosting(uintptr_t operation, const void *argument)
{
#if defined(__arm__)
    register uintptr_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
#else
    register uintptr_t a0 __asm__("a0") = operation;
    register const void *a1 __asm__("a1") = argument;
    /* The three instructions stand together, uncompressed and in one page: by them the debugger knows the call. */
    __asm__ volatile(".balign 16\n.option push\n.option norvc\nslli zero, zero, 0x1f\nebreak\nsrai zero, zero, 7\n.option pop"
                     : "+r"(a0) : "r"(a1) : "memory");
#endif
}

static _Noreturn void end(uintptr_t status)
{
    const uintptr_t stopped[2] = {0x20026 /* ADP_Stopped_ApplicationExit */, status};
    semihosting(SYS_EXIT_EXTENDED, stopped);
    for (;;) {}
}

/* 8x8 pixels of ink, 0 to 16. */
static const uint8_t picture[DIGITS_INPUT_LENGTH] = {
    0, 0, 5, 12, 1, 6, 0, 0,
    0, 0, 11, 12, 0, 16, 2, 0,
    0, 0, 16, 5, 0, 12, 4, 0,
    0, 3, 15, 0, 0, 8, 4, 0,
    0, 7, 12, 0, 0, 4, 7, 0,
    0, 2, 15, 1, 1, 12, 5, 0,
    0, 0, 16, 11, 12, 15, 3, 0,
    0, 0, 4, 12, 12, 3, 0, 0,
};

/* A static: the linker finds the place of the model's memory, and says so when the RAM is too small. */
static digits_model model;

int main(void)
{
    int8_t image[DIGITS_INPUT_LENGTH], scores[DIGITS_OUTPUT_LENGTH];
    for (int i = 0; i < DIGITS_INPUT_LENGTH; i++)
        image[i] = (int8_t)(picture[i] * 255 / 16 + DIGITS_INPUT_ZERO_POINT);

    digits_init(&model);
    digits_infer(&model, image, scores);

    int best = 0;
    for (int i = 1; i < DIGITS_OUTPUT_LENGTH; i++)
        if (scores[i] > scores[best])
            best = i;
    char text[] = "this is a _\n";
    text[10] = (char)('0' + best);
    semihosting(SYS_WRITE0, text);
    end(0);
}

/* Start-up: RAM as the linker script lays it out, then main. A fault ends the run. */
extern uint32_t stack_top[], data_start[], data_end[], data_load[], bss_start[], bss_end[];

void start(void)
{
    const uint32_t *from = data_load;
    for (uint32_t *to = data_start; to < data_end; to++)
        *to = *from++;
    for (uint32_t *to = bss_start; to < bss_end; to++)
        *to = 0;
    main();
}

void fault(void)
{
    end(1);
}

#if defined(__arm__)
/* Vectors: stack, reset, then the exceptions up to the usage fault. */
__attribute__((section(".vectors"), used)) static void (*const vectors[7])(void) = {
    (void (*)(void))stack_top, start, fault, fault, fault, fault, fault,
};
#else
__asm__(".section .vectors, \"ax\"\n.globl _start\n_start:\nla sp, stack_top\nla t0, fault\ncsrw mtvec, t0\nj start\n");
#endif
