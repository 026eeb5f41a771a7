// What training batches are filled with: prompts and completions in a model's tokens.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/corpus/corpus.h"
#include "core/models/prompt_format.h"
#include "core/tokenizer/tokenizer.h"
#include "core/training/completions.h"

namespace tandem::training {

struct TokenExample {
  std::vector<std::int32_t> prompt;
  std::vector<std::int32_t> completion;  // its end token included, unless it was cut before it
  std::vector<bool> is_result;           // of each of its tokens: a digit of a calculation's result
  bool correct = true;
};

/// An endless list of examples, each a pure function of its number. Immutable and thread-safe.
class ExampleSource {
 public:
  virtual ~ExampleSource() = default;
  virtual TokenExample at(std::uint64_t index) const = 0;
};

/// The generated corpus with its solutions.
class CorpusExamples final : public ExampleSource {
 public:
  /// `end`: the token after each example. The tokenizer must outlive it.
  CorpusExamples(const corpus::CorpusOptions& options, const Tokenizer& tokenizer, std::int32_t end)
      : options_(options), tokenizer_(tokenizer), end_(end) {}
  TokenExample at(std::uint64_t index) const override;

 private:
  corpus::CorpusOptions options_;
  const Tokenizer& tokenizer_;
  std::int32_t end_;
};

/// Completions that a model wrote, drawn with replacement.
class SampledExamples final : public ExampleSource {
 public:
  /// `sampled` must not be empty; `prompt` is put around each question.
  SampledExamples(const std::vector<SampledCompletion>& sampled, const PromptFormat& prompt,
                  const Tokenizer& tokenizer, std::int32_t end, std::uint64_t seed);
  TokenExample at(std::uint64_t index) const override;

 private:
  std::vector<TokenExample> examples_;
  std::uint64_t seed_;
};

}  // namespace tandem::training
