// Configurations small enough to differentiate by differences, one per family.
#pragma once

#include "core/checkpoint/model_config.h"

namespace tandem::test {

inline ModelConfig tiny_config(ModelFamily family) {
  ModelConfig config;
  config.family = family;
  config.vocab_size = 23;
  config.d_model = 12;
  config.n_layers = 2;
  config.d_ff = 20;
  config.nheads = 2;
  config.nheads_kv = 1;
  config.headdim = 6;
  config.max_context = 64;
  config.d_conv = 4;
  switch (family) {
    case ModelFamily::Llama:
    case ModelFamily::Mamba2:  // not trained
      break;
    case ModelFamily::Llamba:
      config.d_inner = 12;
      config.d_state = 5;
      config.n_v_heads = 2;
      config.n_qk_heads = 2;
      break;
    case ModelFamily::MambaInLlama:
      config.attention_layers = {1};
      config.d_inner = 12;
      config.d_state = 6;
      config.d_xb = 6;
      config.ngroups = 2;
      break;
  }
  return config;
}

}  // namespace tandem::test
