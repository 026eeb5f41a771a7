#include "core/grading/grading.h"
#include "core/grading/text.h"

namespace tandem {

bool answers_equal(AnswerKind, std::string_view a, std::string_view b) {
  return !grading::trim(a).empty() && grading::trim(a) == grading::trim(b);
}

}  // namespace tandem
