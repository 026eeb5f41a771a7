// How a question becomes a prompt, and how an answer is recognised: prompt.json beside the weights.
#pragma once

#include <string>

#include "core/base/result.h"

namespace tandem {

struct PromptFormat {
  std::string template_text = "{question}";  // "{question}" is replaced by the problem's text
  std::string answer_text;                   // "The final answer is {answer}."
  std::string eos_token;

  /// The template with the question in place.
  std::string apply(const std::string& question) const;
};

/// Reads prompt.json. A missing file gives the default format.
Result<PromptFormat> read_prompt_format(const std::string& path);

}  // namespace tandem
