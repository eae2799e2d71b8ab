/* The adapter's dense products, reproducible or not. Layer l maps rows[l] to rows[l+1]. */
#ifndef HN_CF_ADAPTER_PRODUCT_H
#define HN_CF_ADAPTER_PRODUCT_H

#include "cf/adapter.h"

size_t hn_adapter_tile_bytes(void); /* scratch of one thread */

/* *hold: in the fixed shapes of this adapter's products, equal rows give equal bits wherever they stand. */
HnStatus hn_adapter_blocks_hold(const HnAdapter *adapter, bool *hold, HnError *err);
HnStatus hn_adapter_layer_forward(HnAdapter *adapter, int l, HnError *err);
/* d_rows[l+1] *= derivative of layer l's activation. */
void hn_adapter_activation_backward(HnAdapter *adapter, int l);
/* d_rows[l] = d_rows[l+1] W_l */
HnStatus hn_adapter_layer_backward(HnAdapter *adapter, int l, HnError *err);
/* Gradients of all weights and biases over all ranks, plus l2 times the weights. Collective. */
HnStatus hn_adapter_weight_gradient(HnAdapter *adapter, float l2, HnError *err);

#endif
