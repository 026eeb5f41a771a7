// The usual prompts, in a model's chat template where it has one.
#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/models/prompt_format.h"
#include "core/models/worked_examples.h"

namespace tandem {
namespace {

constexpr std::string_view kInstruction =
    "Given the following problem, reason and give a final answer to the problem. Your response should end "
    "with "
    "\"The final answer is [answer]\" where [answer] is the response to the problem.";
constexpr std::string_view kQuestion = "{question}";

std::string instruction_then(std::string_view problem) {
  return fmt::format("{} Problem: {}", kInstruction, problem);
}
std::string then_instruction(std::string_view problem) {
  return fmt::format("Problem: {}\n\n{}", problem, kInstruction);
}

PromptFormat from_turns(const PromptFormat& own, std::span<const ChatTurn> turns, std::string_view date) {
  PromptFormat format = own;
  format.template_text = own.chat->render(turns, date);
  format.with_bos = false;  // the chat template has it where the model wants it
  return format;
}

PromptFormat from_text(const PromptFormat& own, std::string text, std::string stop = {}) {
  PromptFormat format = own;
  format.template_text = std::move(text);
  format.with_bos = true;
  if (!stop.empty()) format.stop_strings = {std::move(stop)};
  return format;
}

PromptFormat one_turn(const PromptFormat& own, std::string request, std::string_view date) {
  if (!own.chat) return from_text(own, std::move(request) + "\n");
  const ChatTurn turn[] = {{"user", std::move(request)}};
  return from_turns(own, turn, date);
}

/// Examples as turns of a conversation; as blocks of text for a model that holds none.
struct FewShot {
  std::span<const WorkedExample> examples;
  std::string_view chat_answer;  // "{reasoning} ... {answer}"
  std::string_view text_block;   // "... {problem} ... {reasoning} ... {answer}"
  std::string_view text_question;
  std::string_view stop;
};

PromptFormat few_shot(const PromptFormat& own, const FewShot& shots, std::string_view date) {
  if (!own.chat) {
    std::string text;
    for (const WorkedExample& example : shots.examples)
      text += fmt::format(fmt::runtime(shots.text_block), fmt::arg("problem", example.problem),
                          fmt::arg("reasoning", example.reasoning), fmt::arg("answer", example.answer));
    return from_text(own, text.append(shots.text_question), std::string(shots.stop));
  }
  std::vector<ChatTurn> turns;
  for (const WorkedExample& example : shots.examples) {
    turns.push_back({"user", instruction_then(example.problem)});
    turns.push_back(
        {"assistant", fmt::format(fmt::runtime(shots.chat_answer), fmt::arg("reasoning", example.reasoning),
                                  fmt::arg("answer", example.answer))});
  }
  turns.push_back({"user", instruction_then(kQuestion)});
  return from_turns(own, turns, date);
}

PromptFormat gsm8k(const PromptFormat& own, std::string_view date) {
  return few_shot(own,
                  {.examples = word_problem_examples(),
                   .chat_answer = "{reasoning} The final answer is {answer}",
                   .text_block = "Q: {problem}\nA: {reasoning} The answer is {answer}.\n\n",
                   .text_question = "Q: {question}\nA:",
                   .stop = "Q:"},
                  date);
}

PromptFormat math(const PromptFormat& own, std::string_view date) {
  constexpr std::string_view kClosing =
      "\nFinal Answer: The final answer is ${answer}$. I hope it is correct.";
  const std::string answer = fmt::format("{{reasoning}}{}", kClosing);
  const std::string block = fmt::format("Problem:\n{{problem}}\n\nSolution:\n{{reasoning}}{}\n\n", kClosing);
  return few_shot(own,
                  {.examples = math_examples(),
                   .chat_answer = answer,
                   .text_block = block,
                   .text_question = "Problem:\n{question}\n\nSolution:\n",
                   .stop = "Problem:"},
                  date);
}

}  // namespace

std::vector<std::string> prompt_names() {
  return {"model", "question", "zero-shot", "problem-first", "gsm8k", "math"};
}

Result<PromptFormat> choose_prompt(const PromptFormat& own, std::string_view name, std::string_view date) {
  if (name == "model" && !own.chat) return own;
  if (name == "question")
    return own.chat ? one_turn(own, std::string(kQuestion), date) : from_text(own, std::string(kQuestion));
  if (name == "zero-shot" || name == "model") return one_turn(own, instruction_then(kQuestion), date);
  if (name == "problem-first") return one_turn(own, then_instruction(kQuestion), date);
  if (name == "gsm8k") return gsm8k(own, date);
  if (name == "math") return math(own, date);
  return Error{ErrorCode::InvalidArgument,
               fmt::format("there is no prompt '{}', only {}", name, fmt::join(prompt_names(), ", "))};
}

PromptFormat chat_prompt(std::string_view jinja) {
  PromptFormat format;
  format.chat = recognise_chat_template(jinja);
  return format.chat ? one_turn(format, instruction_then(kQuestion), kTemplateDate) : format;
}

}  // namespace tandem
