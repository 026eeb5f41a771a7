// Corpora of word problems: each problem in one of two styles with a prompt of its own, and files of them in
// GSM8K format (one JSON object a line: question, answer; the answer ends "\n#### N").
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/corpus/problem_generator.h"

namespace tandem::corpus {

/// What comes after the question. Under two prompts, so that one model can be asked either way and what a
/// chain of thought buys can be measured.
enum class AnswerStyle {
  Reason,  // worked out step by step, then the final answer
  Direct,  // the final answer at once
};
/// "reason", "direct"
const char* style_name(AnswerStyle style);
/// Prompt template with "{question}" (core/models/prompt_format.h).
std::string_view style_template(AnswerStyle style);

/// A problem as a model reads it in training: the prompt, then the completion that is to be learned.
struct Example {
  AnswerStyle style = AnswerStyle::Reason;
  std::string question;
  std::string completion;  // ends "The final answer is N."
  std::string prompt() const;
  /// Prompt, a space, completion.
  std::string text() const;
};

struct CorpusOptions {
  GeneratorOptions problems;
  double direct_share = 0;  // of the problems, answered directly; 0 to 1
};

/// Errors: InvalidArgument, one sentence.
Status check_options(const CorpusOptions& options);

/// Example number `index` of the endless corpus of `options`.
Example generate_example(const CorpusOptions& options, std::uint64_t index);

/// Lines `first` to `first + count - 1` of the corpus as a file has them: question, answer, style, family and
/// steps, each line with its end.
std::string corpus_lines(const CorpusOptions& options, std::uint64_t first, std::uint64_t count);

/// Reads a corpus file: question and answer, and style where it is given ("reason" where not). Errors:
/// NotFound, Io, BadFormat (file, line and field).
Result<std::vector<Example>> read_corpus(const std::string& path);

}  // namespace tandem::corpus
