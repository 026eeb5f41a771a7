#include "core/training/batch.h"

#include <numeric>

namespace tandem::training {
namespace {

// Examples set aside for one row. The corpus is endless, so what a row leaves over is not missed; an example
// has over 20 tokens.
constexpr std::uint64_t kExamplesPerRow = 1024;

/// Where the next result of a calculation stands at or after `from`, with the space before it; empty at the
/// text's end if there is none. Digits are tokens of their own, so cutting here cuts no token.
std::string_view next_result(std::string_view text, std::size_t from) {
  constexpr std::string_view kEquals = " =";
  const std::size_t equals = text.find(" = ", from);
  if (equals == std::string_view::npos) return text.substr(text.size());
  const std::size_t begin = equals + kEquals.size();
  const std::size_t end = text.find_first_not_of("0123456789", begin + 1);
  return text.substr(begin, end == std::string_view::npos ? end : end - begin);
}

}  // namespace

BatchSource::BatchSource(const BatchSettings& settings, const Tokenizer& tokenizer, std::int32_t end)
    : settings_(settings), tokenizer_(tokenizer), end_(end) {}

void BatchSource::fill_row(std::uint64_t row, Batch& batch) const {
  const auto wanted = static_cast<std::size_t>(settings_.shape.seqlen) + 1;
  std::vector<std::int32_t> tokens;
  std::vector<float> weights;
  const auto append = [&](const std::string& text, float weight) {
    const std::vector<std::int32_t> ids = tokenizer_.encode(text, false);
    tokens.insert(tokens.end(), ids.begin(), ids.end());
    weights.resize(tokens.size(), weight);
  };
  for (std::uint64_t i = 0; i < kExamplesPerRow && tokens.size() < wanted; ++i) {
    const corpus::Example example = generate_example(settings_.corpus, row * kExamplesPerRow + i);
    append(example.prompt(), static_cast<float>(settings_.prompt_weight));
    const std::string completion = ' ' + example.completion;
    for (std::size_t begin = 0; begin < completion.size();) {
      const std::string_view result = next_result(completion, begin);
      const auto at_result = static_cast<std::size_t>(result.data() - completion.data());
      append(completion.substr(begin, at_result - begin), 1.0F);
      append(std::string(result), static_cast<float>(settings_.result_weight));
      begin = at_result + result.size();
    }
    tokens.push_back(end_);
    weights.push_back(1.0F);
  }
  TANDEM_CHECK(tokens.size() >= wanted, "the examples of a row do not fill it");
  const auto at = [](auto& list, std::size_t i) { return list.begin() + static_cast<std::ptrdiff_t>(i); };
  batch.ids.insert(batch.ids.end(), tokens.begin(), at(tokens, wanted - 1));
  batch.targets.insert(batch.targets.end(), at(tokens, 1), at(tokens, wanted));
  batch.weights.insert(batch.weights.end(), at(weights, 1), at(weights, wanted));
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
  for (Batch& batch : batches)
    for (float& weight : batch.weights) weight = static_cast<float>(static_cast<double>(weight) / sum);
  return batches;
}

}  // namespace tandem::training
