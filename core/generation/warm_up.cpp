#include "core/generation/warm_up.h"

#include <algorithm>
#include <vector>

#include "core/models/weights.h"

namespace tandem {
namespace {

constexpr int kRowStep = 8;  // larger products run as multiples of this many rows and a remainder below it
constexpr int kTokens = 3;   // the prompt's, and two decoded ones

/// Batches at which every thread meets each of its row counts, falling.
std::vector<int> batches_to_visit(int batch, int threads) {
  std::vector<int> batches;
  const int wide = kRowStep * threads;
  for (int rows = batch; rows >= wide; rows -= wide) batches.push_back(rows);
  for (int rows = std::min(batch, wide - threads); rows > kRowStep; rows -= threads) batches.push_back(rows);
  for (int rows = std::min(batch, kRowStep); rows >= 1; --rows) batches.push_back(rows);
  return batches;
}

}  // namespace

Status warm_up(const Model& model, GenerationRequest request, Context& context, const std::stop_token& stop) {
  const int batch = request.slot_count();
  request.time_budget_s.reset();
  request.stop_ids.clear();
  request.stop_strings.clear();
  request.max_new_tokens = std::min(request.max_new_tokens, kTokens);
  const bool small = model.info().weight_bytes <= kCachedWeightBytes;
  for (const int rows : small ? batches_to_visit(batch, context.threads()) : std::vector<int>{batch}) {
    if (stop.stop_requested()) break;
    request.batch = rows;
    request.completions = rows;
    if (const auto result = generate(model, request, context, nullptr, stop); !result) return result.error();
  }
  return {};
}

}  // namespace tandem
