/* Faults outside modules' own code, which the engine hands on. */
#ifndef WASM_HOST_FAULT_H
#define WASM_HOST_FAULT_H

/* Exit codes of simdd-wasm beside 0, which means that the daemon closed the socket. */
enum {
    HOST_EXIT_FAULT = 3,    /* a guest's bulk operation touched what is not mapped */
    HOST_EXIT_INTERNAL = 70 /* a bug, or a message that makes no sense */
};

/* Before the engine is made: it remembers who was there, and asks it last. */
void fault_handle(void);

#endif
