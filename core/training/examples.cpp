#include "core/training/examples.h"

#include <optional>
#include <string_view>

#include "core/base/random_stream.h"

namespace tandem::training {
namespace {

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

void set_completion(const std::string& text, std::optional<std::int32_t> end, const Tokenizer& tokenizer,
                    TokenExample& example) {
  const auto append = [&](std::string_view part, bool result) {
    const std::vector<std::int32_t> ids = tokenizer.encode(part, false);
    example.completion.insert(example.completion.end(), ids.begin(), ids.end());
    example.is_result.resize(example.completion.size(), result);
  };
  for (std::size_t begin = 0; begin < text.size();) {
    const std::string_view result = next_result(text, begin);
    const auto at_result = static_cast<std::size_t>(result.data() - text.data());
    append(std::string_view(text).substr(begin, at_result - begin), false);
    append(result, true);
    begin = at_result + result.size();
  }
  if (!end) return;
  example.completion.push_back(*end);
  example.is_result.push_back(false);
}

}  // namespace

TokenExample CorpusExamples::at(std::uint64_t index) const {
  const corpus::Example example = generate_example(options_, index);
  TokenExample tokens;
  tokens.prompt = tokenizer_.encode(example.prompt(), false);
  set_completion(' ' + example.completion, end_, tokenizer_, tokens);
  return tokens;
}

SampledExamples::SampledExamples(const std::vector<SampledCompletion>& sampled, const PromptFormat& prompt,
                                 const Tokenizer& tokenizer, std::int32_t end, std::uint64_t seed)
    : seed_(seed) {
  TANDEM_CHECK(!sampled.empty(), "no completion to learn from");
  examples_.reserve(sampled.size());
  for (const SampledCompletion& completion : sampled) {
    TokenExample& example = examples_.emplace_back();
    example.prompt = tokenizer.encode(prompt.apply(completion.question), true, prompt.with_bos);
    example.correct = completion.correct;
    set_completion(completion.text, completion.ended ? std::optional(end) : std::nullopt, tokenizer, example);
  }
}

TokenExample SampledExamples::at(std::uint64_t index) const {
  RandomStream random(seed_, index);
  return examples_[static_cast<std::size_t>(random.between(0, std::ssize(examples_) - 1))];
}

}  // namespace tandem::training
