// How a question becomes a prompt, and how an answer is recognised: prompt.json beside the weights, or one of
// the usual prompts in the model's chat template (test_time_compute.md section 5).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/models/chat_template.h"

namespace tandem {

struct PromptFormat {
  std::string template_text = "{question}";  // "{question}" is replaced by the problem's text
  std::string answer_text;                   // "The final answer is {answer}."
  std::string eos_token;
  std::vector<std::string> stop_strings;  // text from one of these on is no part of a completion
  bool with_bos = true;              // the tokenizer puts its beginning-of-text token first, if it has one
  std::optional<ChatTemplate> chat;  // of an instruct model without a prompt.json

  /// The template with the question in place.
  std::string apply(const std::string& question) const;
};

/// The prompts there are: "model" is prompt.json, or else zero-shot for an instruct model and the bare
/// question for another; "question" is the question alone; "zero-shot" asks for reasoning and a final answer,
/// "problem-first" asks the same after the problem; "gsm8k" and "math" show eight and four worked examples
/// first.
std::vector<std::string> prompt_names();

/// The format of a prompt by its name. `own`: the model's. `date`: for templates that name one.
/// Errors: InvalidArgument (a name that is not in prompt_names()).
Result<PromptFormat> choose_prompt(const PromptFormat& own, std::string_view name,
                                   std::string_view date = kTemplateDate);

/// The zero-shot prompt of an instruct model whose chat template this is; the bare question for a template
/// that is not recognised, or empty.
PromptFormat chat_prompt(std::string_view jinja);

/// Reads prompt.json. A missing file gives the default format.
Result<PromptFormat> read_prompt_format(const std::string& path);

/// What a model's folder says: prompt.json; without it the chat template in chat_template.jinja or
/// tokenizer_config.json; without those the default format.
Result<PromptFormat> read_folder_prompt(const std::string& folder);

}  // namespace tandem
