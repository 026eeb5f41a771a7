#include "core/grading/vectors.h"

#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "core/base/file.h"
#include "core/base/json.h"

namespace tandem {
namespace {

using Json = nlohmann::json;

Result<AnswerKind> read_kind(const JsonFields& fields) {
  TANDEM_TRY(const std::string name, fields.text("kind"));
  for (const AnswerKind kind : {AnswerKind::Gsm8k, AnswerKind::Math})
    if (name == answer_kind_name(kind)) return kind;
  return fields.wrong("kind", R"("gsm8k" or "math")");
}

/// Grades one case and keeps it if the verdict is not the decided one.
Status check_case(const Json& object, const std::string& where, GradingAgreement& result) {
  if (!object.is_object()) return Error{ErrorCode::BadFormat, fmt::format("{}: not a JSON object", where)};
  const JsonFields fields(object, where);
  GradingDisagreement item;
  item.index = result.total++;
  TANDEM_TRY(item.kind, read_kind(fields));
  TANDEM_TRY(item.prediction, fields.text("prediction"));
  TANDEM_TRY(item.gold, fields.text("gold"));
  TANDEM_TRY(item.note, fields.text("note", ""));
  if (!fields.has("equal")) return fields.wrong("equal", "true or false");
  TANDEM_TRY(item.decided, fields.boolean("equal", false));
  if (grade(item.kind, item.prediction, item.gold) == item.decided) return {};
  item.answer = extract_answer(item.kind, item.prediction);
  result.disagreements.push_back(std::move(item));
  return {};
}

}  // namespace

double GradingAgreement::agreement() const {
  return 1 - static_cast<double>(disagreements.size()) / static_cast<double>(total);
}

Result<GradingAgreement> check_grading_vectors(const std::string& path) {
  constexpr std::int64_t kLargestFile = std::int64_t{1} << 26;
  TANDEM_TRY(const std::string text, read_file(path, kLargestFile));
  const Json cases = Json::parse(text, nullptr, false);
  if (!cases.is_array() || cases.empty())
    return Error{ErrorCode::BadFormat, fmt::format("{}: not a JSON array of graded cases", path)};
  GradingAgreement result;
  for (const Json& item : cases)
    TANDEM_RETURN_IF_ERROR(check_case(item, fmt::format("{}: case {}", path, result.total), result));
  return result;
}

}  // namespace tandem
