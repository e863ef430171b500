/* The model {{name}}, compiled for the backend {{backend}}. Made by `smolnn compile --c`, not to be edited. */
#ifndef SMOLNN_{{upper}}_H
#define SMOLNN_{{upper}}_H

#include <stdint.h>

#ifdef __cplusplus
#define SMOLNN_ALIGNED alignas(16)
extern "C" {
#else
#define SMOLNN_ALIGNED _Alignas(16)
#endif

/* Bytes: memory for a run, states that are kept from run to run, weights and tables in flash. */
#define {{upper}}_ARENA_BYTES {{arena_bytes}}
#define {{upper}}_STATE_BYTES {{state_bytes}}
#define {{upper}}_CONSTANT_BYTES {{constant_bytes}}

/* Inputs and outputs. Real value = scale * (stored value - zero point). */
{{tensors}}

/* All of the model's RAM: make it a static, or place it where you want it. One for each instance of the model. */
typedef struct {
    SMOLNN_ALIGNED uint32_t words[{{words}}];
} {{name}}_model;

/* Sets the memory up; before anything else. */
void {{name}}_init({{name}}_model *model);

/* Sets the states back to their start: what the next run gives does not depend on earlier ones then. */
void {{name}}_reset({{name}}_model *model);

/* Runs the model: reads the inputs, writes the outputs. The arrays lie outside of the model's memory. Not to be called for one model from two threads or
   interrupts at a time. */
void {{name}}_infer({{name}}_model *model{{c_parameters}});

#undef SMOLNN_ALIGNED

#ifdef __cplusplus
}
#endif

#endif
