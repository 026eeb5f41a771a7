#include "core/corpus/corpus.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "core/base/file.h"
#include "core/base/json.h"

namespace tandem::corpus {
namespace {

constexpr std::int64_t kMaxFileBytes = std::int64_t{4} << 30;
// The stream that decides styles: apart from all attempts at a problem, which count from 0.
constexpr std::uint32_t kStyleSubstream = 0xFFFFFFFF;

std::string final_answer(std::int64_t answer) {
  return fmt::format("The final answer is {}.", answer);
}

AnswerStyle draw_style(const CorpusOptions& options, std::uint64_t index) {
  RandomStream random(options.problems.seed, index, kStyleSubstream);
  return random.chance(options.direct_share) ? AnswerStyle::Direct : AnswerStyle::Reason;
}

Result<Example> read_line(std::string_view line, const std::string& where) {
  TANDEM_TRY(const nlohmann::json object, parse_json_object(line, where));
  const JsonFields fields(object, where);
  Example example;
  TANDEM_TRY(example.question, fields.text("question"));
  TANDEM_TRY(example.completion, fields.text("answer"));
  TANDEM_TRY(const std::string style, fields.text("style", style_name(AnswerStyle::Reason)));
  if (style == style_name(AnswerStyle::Direct)) {
    example.style = AnswerStyle::Direct;
  } else if (style != style_name(AnswerStyle::Reason)) {
    return fields.wrong("style", "\"reason\" or \"direct\"");
  }
  if (const std::size_t mark = example.completion.rfind("\n####"); mark != std::string::npos)
    example.completion.resize(mark);
  return example;
}

}  // namespace

const char* style_name(AnswerStyle style) {
  return style == AnswerStyle::Reason ? "reason" : "direct";
}

std::string_view style_template(AnswerStyle style) {
  return style == AnswerStyle::Reason ? "Problem: {question}\nReason:" : "Problem: {question}\nAnswer:";
}

std::string Example::prompt() const {
  constexpr std::string_view kPlace = "{question}";
  std::string text(style_template(style));
  return text.replace(text.find(kPlace), kPlace.size(), question);
}

std::string Example::text() const {
  return prompt() + ' ' + completion;
}

Status check_options(const CorpusOptions& options) {
  TANDEM_RETURN_IF_ERROR(check_options(options.problems));
  if (options.direct_share >= 0 && options.direct_share <= 1) return {};
  return Error{ErrorCode::InvalidArgument,
               fmt::format("the share of direct answers is {}, wanted 0 to 1", options.direct_share)};
}

Example generate_example(const CorpusOptions& options, std::uint64_t index) {
  WordProblem problem = generate_problem(options.problems, index);
  Example example{draw_style(options, index), std::move(problem.question), std::move(problem.solution)};
  if (example.style == AnswerStyle::Direct) example.completion = final_answer(problem.answer);
  return example;
}

std::string corpus_lines(const CorpusOptions& options, std::uint64_t first, std::uint64_t count) {
  std::string lines;
  for (std::uint64_t index = first; index < first + count; ++index) {
    const WordProblem problem = generate_problem(options.problems, index);
    const AnswerStyle style = draw_style(options, index);
    const std::string solution =
        style == AnswerStyle::Direct ? final_answer(problem.answer) : problem.solution;
    nlohmann::ordered_json line;
    line["question"] = problem.question;
    line["answer"] = fmt::format("{}\n#### {}", solution, problem.answer);
    line["style"] = style_name(style);
    line["family"] = family_name(problem.family);
    line["steps"] = problem.calculations.size();
    lines += line.dump();
    lines += '\n';
  }
  return lines;
}

Result<std::vector<Example>> read_corpus(const std::string& path) {
  TANDEM_TRY(const std::string text, read_file(path, kMaxFileBytes));
  std::vector<Example> examples;
  std::string_view rest = text;
  for (int number = 1; !rest.empty(); ++number) {
    const std::size_t end = rest.find('\n');
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    if (line.empty()) continue;
    TANDEM_TRY(Example example, read_line(line, fmt::format("{}:{}", path, number)));
    examples.push_back(std::move(example));
  }
  return examples;
}

}  // namespace tandem::corpus
