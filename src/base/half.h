/* 16-bit floats as stored: IEEE binary16 in uint16_t, round to nearest even; F16C where the processor has it. */
#ifndef HN_BASE_HALF_H
#define HN_BASE_HALF_H

#include <stddef.h>
#include <stdint.h>

uint16_t hn_half_from_float(float value);
float hn_half_to_float(uint16_t half);
void hn_half_from_floats(const float *in, uint16_t *out, size_t n); /* bits equal to the scalar version */
void hn_half_to_floats(const uint16_t *in, float *out, size_t n);

#endif
