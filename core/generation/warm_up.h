// An unmeasured run before a measured one: matrix products are compiled for the row counts they meet, and
// that time is no model's (test_time_compute.md 3.1).
#pragma once

#include <stop_token>

#include "core/generation/generate.h"

namespace tandem {

/// Decodes a few tokens at the row counts that a batch of `request` passes through as completions leave it,
/// on the threads of `context`. Costs milliseconds on small models; models whose weights outgrow the caches,
/// where compiling hardly counts, decode two tokens at full batch only. The results are dropped. Errors:
/// those of generate().
Status warm_up(const Model& model, GenerationRequest request, Context& context,
               const std::stop_token& stop = {});

}  // namespace tandem
