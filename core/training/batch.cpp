#include "core/training/batch.h"

#include <numeric>

namespace tandem::training {
namespace {

// Examples set aside for one row. The list is endless, so what a row leaves over is not missed; an example
// has over 20 tokens.
constexpr std::uint64_t kExamplesPerRow = 1024;

}  // namespace

BatchSource::BatchSource(const BatchSettings& settings, std::shared_ptr<const ExampleSource> examples)
    : settings_(settings), examples_(std::move(examples)) {}

void BatchSource::fill_row(std::uint64_t row, Batch& batch) const {
  const bool outcomes = settings_.target == Target::Outcome;
  const auto wanted = static_cast<std::size_t>(settings_.shape.seqlen) + 1;
  std::vector<std::int32_t> tokens;
  std::vector<std::int32_t> correct;
  std::vector<float> weights;
  for (std::uint64_t i = 0; i < kExamplesPerRow && tokens.size() < wanted; ++i) {
    const TokenExample example = examples_->at(row * kExamplesPerRow + i);
    tokens.insert(tokens.end(), example.prompt.begin(), example.prompt.end());
    weights.resize(tokens.size(), outcomes ? 0.0F : static_cast<float>(settings_.prompt_weight));
    tokens.insert(tokens.end(), example.completion.begin(), example.completion.end());
    for (const bool result : example.is_result)
      weights.push_back(result ? static_cast<float>(settings_.result_weight) : 1.0F);
    correct.resize(tokens.size(), example.correct ? 1 : 0);
  }
  TANDEM_CHECK(tokens.size() >= wanted, "the examples of a row do not fill it");
  const auto add = [&](const auto& from, std::size_t first, auto& to) {
    const auto begin = from.begin() + static_cast<std::ptrdiff_t>(first);
    to.insert(to.end(), begin, begin + settings_.shape.seqlen);
  };
  const std::size_t ahead = outcomes ? 0 : 1;  // where a position's target stands
  add(tokens, 0, batch.ids);
  add(outcomes ? correct : tokens, ahead, batch.targets);
  add(weights, ahead, batch.weights);
}

std::vector<Batch> BatchSource::update(std::int64_t step) const {
  const std::int64_t rows = settings_.accumulate * settings_.shape.sequences;
  std::vector<Batch> batches;
  double sum = 0;
  for (std::int64_t micro = 0; micro < settings_.accumulate; ++micro) {
    Batch& batch = batches.emplace_back();
    batch.shape = settings_.shape;
    for (std::int64_t s = 0; s < settings_.shape.sequences; ++s)
      fill_row(static_cast<std::uint64_t>(step * rows + micro * settings_.shape.sequences + s), batch);
    sum += std::accumulate(batch.weights.begin(), batch.weights.end(), 0.0);
  }
  if (sum == 0) return batches;  // nothing but prompts
  for (Batch& batch : batches)
    for (float& weight : batch.weights) weight = static_cast<float>(static_cast<double>(weight) / sum);
  return batches;
}

}  // namespace tandem::training
