// Trains a byte-level BPE tokenizer (Sennrich et al. 2016) and writes it as tokenizer.json.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/tokenizer/pre_tokenizer.h"

namespace tandem::corpus {

struct BpeOptions {
  std::int64_t vocab = 1024;                              // ids in all, specials and the 256 bytes included
  std::vector<std::string> special_tokens = {"<|end|>"};  // ids 0, 1, …
  std::int64_t least_count = 2;                           // a pair seen less often is not merged
};

struct TrainedTokenizer {
  std::string json;        // the text of tokenizer.json
  std::int64_t vocab = 0;  // ids
};

/// Errors: InvalidArgument (a vocabulary without room for the special tokens and the 256 bytes).
Status check_options(const BpeOptions& options);

/// Counts the pieces of a corpus, then merges the most frequent pair of neighbouring tokens again and again;
/// of equally frequent pairs the one with the lowest ids. Deterministic, whatever the order of the texts.
/// Words keep the space before them; each digit is a piece of its own, with its space when it has one.
class BpeTrainer {
 public:
  BpeTrainer();
  ~BpeTrainer();

  /// `text`: valid UTF-8.
  void add(std::string_view text);

  /// Has fewer tokens than asked for when no pair is frequent enough any more.
  TrainedTokenizer train(const BpeOptions& options) const;

 private:
  struct Counts;
  PreTokenizer pre_tokenizer_;
  std::unique_ptr<Counts> counts_;
};

}  // namespace tandem::corpus
