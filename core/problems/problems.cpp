#include "core/problems/problems.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <string_view>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/resources.h"
#include "core/base/utf8.h"
#include "core/problems/csv.h"

namespace tandem {
namespace {

using Json = nlohmann::json;

constexpr std::int64_t kLargestFile = std::int64_t{1} << 28;  // 256 MiB: far above any problem set

/// One problem as its file has it: the fields of an object, or what is wrong with it.
struct Record {
  std::string where;  // file and line, for messages
  Result<Json> fields;
};

std::string line_of(const std::string& path, std::int64_t line) {
  return fmt::format("{}: line {}", path, line);
}

/// One JSON object a line; blank lines are left out. A file that is one object over many lines, as MATH's
/// original files are, is one record.
std::vector<Record> read_json_lines(const std::string& path, std::string_view text) {
  if (auto whole = parse_json_object(text, path)) return {{path, std::move(whole)}};
  std::vector<Record> records;
  std::int64_t line = 1;
  for (std::size_t at = 0; at < text.size(); ++line) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view content = text.substr(at, end - at);
    at = end + 1;
    if (content.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    const std::string where = line_of(path, line);
    records.push_back({where, parse_json_object(content, where)});
  }
  return records;
}

/// Each row under the names of the first one.
Result<std::vector<Record>> read_csv_records(const std::string& path, std::string_view text) {
  if (!is_utf8(text)) return Error{ErrorCode::BadFormat, fmt::format("{}: the text is not UTF-8", path)};
  const auto rows = parse_csv(text);
  if (!rows) return Error{rows.error().code, fmt::format("{}: {}", path, rows.error().message)};
  std::vector<Record> records;
  for (std::size_t i = 1; i < rows->size(); ++i) {
    const std::vector<std::string>& names = rows->front().fields;
    const CsvRow& row = (*rows)[i];
    const std::string where = line_of(path, row.line);
    if (row.fields.size() != names.size()) {
      records.push_back(
          {where, Error{ErrorCode::BadFormat, fmt::format("{}: {} fields, wanted {} as in the header", where,
                                                          row.fields.size(), names.size())}});
      continue;
    }
    Json fields = Json::object();
    for (std::size_t column = 0; column < names.size(); ++column) fields[names[column]] = row.fields[column];
    records.push_back({where, std::move(fields)});
  }
  return records;
}

/// 1 to 5 from a number, "3" or "Level 3"; 0 where there is none.
int level_of(const Json& fields) {
  const auto field = fields.find("level");
  if (field == fields.end()) return 0;
  int level = 0;
  if (field->is_number()) level = static_cast<int>(std::clamp(field->get<double>(), 0.0, 9.0));
  if (const auto* text = field->get_ptr<const std::string*>(); text != nullptr && !text->empty())
    level = text->back() - '0';
  return level >= 1 && level <= 5 ? level : 0;
}

/// The working before the last "####", without the <<a*b=c>> marks.
std::string gsm8k_solution(std::string_view answer) {
  const std::size_t marker = answer.rfind("####");
  if (marker == std::string_view::npos) return {};
  std::string solution(answer.substr(0, marker));
  for (std::size_t open = solution.find("<<"); open != std::string::npos; open = solution.find("<<", open)) {
    const std::size_t close = solution.find(">>", open);
    if (close == std::string::npos) break;
    solution.erase(open, close + 2 - open);
  }
  solution.erase(solution.find_last_not_of(" \t\r\n") + 1);
  return solution;
}

std::optional<AnswerKind> kind_of(const Json& fields) {
  if (fields.contains("question")) return AnswerKind::Gsm8k;
  if (fields.contains("problem")) return AnswerKind::Math;
  return std::nullopt;
}

/// The gold answer and the worked solution.
Status read_answer(AnswerKind kind, const JsonFields& fields, Problem& problem) {
  const bool boxed = !fields.has("answer") && fields.has("solution");  // MATH's original files
  TANDEM_TRY(problem.solution, fields.text("solution", ""));
  if (boxed) {
    problem.answer = boxed_answer(problem.solution).value_or("");
    return problem.answer.empty()
               ? Status(fields.wrong("solution", "a boxed answer in it, as there is no 'answer'"))
               : Status();
  }
  TANDEM_TRY(const std::string answer, fields.text("answer"));
  problem.answer = gold_answer(kind, answer);
  if (problem.answer.empty()) return fields.wrong("answer", "an answer that is not empty");
  if (kind == AnswerKind::Gsm8k && problem.solution.empty()) problem.solution = gsm8k_solution(answer);
  return {};
}

/// One problem, its index and a missing id apart.
Result<Problem> read_problem(AnswerKind kind, const Json& object, const std::string& where) {
  const JsonFields fields(object, where);
  const char* question_name = kind == AnswerKind::Gsm8k ? "question" : "problem";
  Problem problem;
  TANDEM_TRY(problem.question, fields.text(question_name));
  if (problem.question.empty()) return fields.wrong(question_name, "a question that is not empty");
  TANDEM_RETURN_IF_ERROR(read_answer(kind, fields, problem));
  TANDEM_TRY(problem.id, fields.text("unique_id", ""));
  TANDEM_TRY(problem.subject, fields.text(fields.has("subject") ? "subject" : "type", ""));
  problem.level = level_of(object);
  return problem;
}

/// Adds a record to the set. The first good record decides the set's kind.
Status add_problem(const Record& record, ProblemSet& set) {
  if (!record.fields) return record.fields.error();
  const std::optional<AnswerKind> kind = kind_of(*record.fields);
  if (!kind)
    return Error{
        ErrorCode::BadFormat,
        fmt::format("{}: there is neither a 'question' (GSM8K) nor a 'problem' (MATH)", record.where)};
  if (set.problems.empty()) set.kind = *kind;
  if (*kind != set.kind)
    return Error{ErrorCode::BadFormat,
                 fmt::format("{}: of kind {}, the problems before it are of kind {}", record.where,
                             answer_kind_name(*kind), answer_kind_name(set.kind))};
  TANDEM_TRY(Problem problem, read_problem(*kind, *record.fields, record.where));
  problem.index = static_cast<std::int64_t>(set.problems.size());
  if (problem.id.empty()) problem.id = fmt::format("{}-{}", set.name, problem.index);
  set.problems.push_back(std::move(problem));
  return {};
}

}  // namespace

std::vector<std::string> bundled_problem_sets() {
  std::vector<std::string> names;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(resource_path("problems"), ignored))
    if (entry.path().extension() == ".jsonl") names.push_back(entry.path().stem().string());
  std::sort(names.begin(), names.end(), [](const std::string& a, const std::string& b) {
    return std::pair(a != kDefaultProblems, a) < std::pair(b != kDefaultProblems, b);
  });
  return names;
}

Result<ProblemSet> read_problems(const std::string& name_or_path, bool skip_bad_lines) {
  const std::vector<std::string> bundled = bundled_problem_sets();
  const bool is_bundled = std::find(bundled.begin(), bundled.end(), name_or_path) != bundled.end();
  const std::filesystem::path path =
      is_bundled ? resource_path("problems/" + name_or_path + ".jsonl") : name_or_path;
  ProblemSet set;
  set.name = path.stem().string();
  set.path = path.string();
  TANDEM_TRY(const std::string content, read_file(set.path, kLargestFile));
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  std::string_view text = content;
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  std::vector<Record> records;
  if (path.extension() == ".csv") {
    TANDEM_TRY(records, read_csv_records(set.path, text));
  } else {
    records = read_json_lines(set.path, text);
  }
  for (const Record& record : records) {
    const Status added = add_problem(record, set);
    if (added) continue;
    if (!skip_bad_lines) return added.error();
    set.skipped.push_back(added.error().message);
  }
  if (set.problems.empty())
    return Error{ErrorCode::BadFormat,
                 fmt::format("{}: no problem found ({} bad lines)", set.path, set.skipped.size())};
  return set;
}

}  // namespace tandem
