// Recipes small enough to run in a test.
#pragma once

#include <string>

namespace tandem::test {

/// A Llamba student of the bundled seed-teacher on short problems. `stages`: the recipe's list, without
/// brackets.
inline std::string seedStudentRecipe(int checkpointEvery, const std::string& stages) {
  return R"({"seed": 3, "teacher": "seed-teacher", "checkpoint_every": )" + std::to_string(checkpointEvery) +
         R"(,
  "model": {"model_type": "llamba", "vocab_size": 103, "tie_embeddings": true, "pad_vocab_size_multiple": 1,
    "d_model": 128, "n_layer": 6, "norm_epsilon": 1e-05,
    "mlp_cfg": {"intermediate_size": 384, "bias": false, "act_fn": "silu"},
    "ssm_cfg": {"d_state": 32, "n_v_heads": 4, "n_qk_heads": 4, "expand": 1, "activation": "identity"}},
  "corpus": {"seed": 1, "max_steps": 2}, "stages": [)" +
         stages + "]}";
}

}  // namespace tandem::test
