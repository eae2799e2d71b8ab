/* Element types of stored tensors, and of weights in memory. */
#ifndef HN_KERNEL_ELEMENT_H
#define HN_KERNEL_ELEMENT_H

typedef enum HnElement { HN_ELEMENT_F32, HN_ELEMENT_F16, HN_ELEMENT_BF16 } HnElement;

#endif
