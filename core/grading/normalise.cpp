#include "core/grading/normalise.h"

#include <algorithm>
#include <array>

#include "core/grading/text.h"

namespace tandem::grading {
namespace {

constexpr auto kNowhere = std::string_view::npos;
constexpr std::string_view kRowEndText(&kRowEnd, 1);

struct Spelling {
  std::string_view from;
  std::string_view to;
};

/// Everything but commands of letters. The first that fits is taken.
constexpr std::array kSymbols{
    Spelling{"\\\\", kRowEndText},
    Spelling{"{,}", ","},
    Spelling{"\\!", ""},
    Spelling{"\\,", ""},
    Spelling{"\\;", ""},
    Spelling{"\\:", ""},
    Spelling{"\\(", ""},
    Spelling{"\\)", ""},
    Spelling{"\\[", ""},
    Spelling{"\\]", ""},
    Spelling{"\\$", ""},
    Spelling{"$", ""},
    Spelling{"€", ""},
    Spelling{"£", ""},
    Spelling{"°", ""},
    Spelling{"\\ ", " "},
    Spelling{"~", " "},
    Spelling{"\u00A0", " "},
    Spelling{"\u2009", " "},
    Spelling{"\u202F", " "},
    Spelling{"\t", " "},
    Spelling{"\r", " "},
    Spelling{"\n", " "},
    Spelling{kRowEndText, " "},
    Spelling{"\\%", "%"},
    Spelling{"−", "-"},
    Spelling{"×", "*"},
    Spelling{"·", "*"},
    Spelling{"≤", "\\leq"},
    Spelling{"≥", "\\geq"},
    Spelling{"π", "\\pi"},
    Spelling{"+∞", "\\infty"},
    Spelling{"∞", "\\infty"},
    Spelling{"+\\infty", "\\infty"},
};

constexpr std::array kCommands{
    Spelling{"left", ""},        Spelling{"right", ""},       Spelling{"cdot", "*"},
    Spelling{"times", "*"},      Spelling{"le", "\\leq"},     Spelling{"ge", "\\geq"},
    Spelling{"dfrac", "\\frac"}, Spelling{"tfrac", "\\frac"}, Spelling{"cfrac", "\\frac"},
};

constexpr std::array<std::string_view, 5> kTextCommands{"text", "mbox", "mathrm", "textbf", "mathbf"};

constexpr std::array<std::string_view, 37> kGreek{
    "alpha",   "beta",  "gamma",  "delta",   "epsilon", "varepsilon", "zeta",  "eta",   "theta", "vartheta",
    "iota",    "kappa", "lambda", "mu",      "nu",      "xi",         "pi",    "rho",   "sigma", "tau",
    "upsilon", "phi",   "varphi", "chi",     "psi",     "omega",      "Gamma", "Delta", "Theta", "Lambda",
    "Xi",      "Pi",    "Sigma",  "Upsilon", "Phi",     "Psi",        "Omega"};

/// Steps 1 and 2: one spelling for every symbol.
class SymbolPass {
 public:
  explicit SymbolPass(std::string_view text) : text_(text) {}

  std::string run() {
    while (at_ < text_.size())
      if (!degree_sign() && !thin_comma() && !command() && !symbol()) out_ += text_[at_++];
    return std::move(out_);
  }

 private:
  /// ^\circ and ^{\circ} vanish.
  bool degree_sign() {
    for (const std::string_view sign : {"^{\\circ}", "^\\circ"}) {
      if (!text_.substr(at_).starts_with(sign) || is_letter(char_at(text_, at_ + sign.size()))) continue;
      at_ += sign.size();
      return true;
    }
    return false;
  }

  /// A comma with \! and spaces after it groups digits: the spaces go too.
  bool thin_comma() {
    if (text_[at_] != ',') return false;
    std::size_t end = at_ + 1;
    std::size_t thin_end = kNowhere;
    while (true) {
      end = skip_spaces(text_, end);
      if (!text_.substr(end).starts_with("\\!")) break;
      end += 2;
      thin_end = skip_spaces(text_, end);
    }
    if (thin_end == kNowhere) return false;
    out_ += ',';
    at_ = thin_end;
    return true;
  }

  bool command() {
    if (text_[at_] != '\\') return false;
    const std::string_view name = letters_at(text_, at_ + 1);
    const auto* known =
        std::find_if(kCommands.begin(), kCommands.end(), [&](const Spelling& s) { return s.from == name; });
    if (known == kCommands.end()) return false;
    replace(name.size() + 1, known->to);
    return true;
  }

  bool symbol() {
    for (const Spelling& known : kSymbols) {
      if (!text_.substr(at_).starts_with(known.from)) continue;
      replace(known.from.size(), known.to);
      return true;
    }
    return false;
  }

  void replace(std::size_t length, std::string_view replacement) {
    at_ += length;
    out_ += replacement;
    const bool ends_in_command = replacement.size() > 1 && is_letter(replacement.back());
    if (ends_in_command && is_letter(char_at(text_, at_))) out_ += ' ';  // πr is not \pir
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::string out_;
};

/// Steps 3 and 4: arguments of \frac and \sqrt in braces, slashes after \pi and roots to \frac, text commands
/// unwrapped. Braces are entered by recursion.
class ArgumentPass {
 public:
  explicit ArgumentPass(std::string_view text) : text_(text) {}

  std::string run() {
    std::string out;
    std::size_t term = 0;       // where the product begins that `out` ends with
    bool ends_in_root = false;  // whether its last factor is \pi or a root
    while (at_ < text_.size()) {
      if (const std::string_view divisor = ends_in_root ? integer_divisor() : ""; !divisor.empty()) {
        const std::string product(trim(std::string_view(out).substr(term)));
        out.resize(term);
        out.append("\\frac{").append(product).append("}{").append(divisor).append("}");
        term = out.size();
        ends_in_root = false;
        continue;
      }
      const std::string next = item();
      out += next;
      if (next == " ") continue;
      ends_in_root = next == "\\pi" || next.starts_with("\\sqrt{") || next.starts_with("\\sqrt[");
      const bool is_factor = ends_in_root || is_digit(next.front()) || next == "." || next == "*";
      if (!is_factor) term = out.size();
    }
    return out;
  }

 private:
  /// Reads a slash and the integer after it, if that is what follows and the integer ends there.
  std::string_view integer_divisor() {
    const std::size_t slash = skip_spaces(text_, at_);
    if (char_at(text_, slash) != '/') return {};
    const std::size_t begin = skip_spaces(text_, slash + 1);
    const std::size_t end = skip_digits(text_, begin);
    const char next = char_at(text_, end);
    if (is_letter(next) || (next != '\0' && std::string_view(".^_({\\").find(next) != kNowhere)) return {};
    if (end > begin) at_ = end;
    return text_.substr(begin, end - begin);
  }

  /// Reads a group in braces, a command with its arguments, or one character.
  std::string item() {
    if (text_[at_] == '{') return "{" + group() + "}";
    if (text_[at_] != '\\') return std::string(take(character_size()));
    const std::string_view name = letters_at(text_, at_ + 1);
    if (name.empty()) return std::string(take(2));
    take(name.size() + 1);
    if (contains(kTextCommands, name)) return " " + argument() + " ";
    std::string result = "\\" + std::string(name);
    if (name == "sqrt") result += root_index();
    const int arguments = name == "frac" ? 2 : name == "sqrt" ? 1 : 0;
    for (int i = 0; i < arguments; ++i) result += "{" + argument() + "}";
    return result;
  }

  /// The next item without its braces; empty at the end.
  std::string argument() {
    at_ = skip_spaces(text_, at_);
    if (at_ == text_.size()) return {};
    return text_[at_] == '{' ? group() : item();
  }

  /// What stands in the braces that open here; to the end where they are not closed.
  std::string group() {
    const std::size_t close = closing_brace(text_, at_);
    const std::string_view inside = text_.substr(at_ + 1, close == kNowhere ? close : close - at_ - 1);
    at_ = close == kNowhere ? text_.size() : close + 1;
    return ArgumentPass(inside).run();
  }

  /// The [n] of \sqrt[n]{x}.
  std::string_view root_index() {
    const std::size_t open = skip_spaces(text_, at_);
    const std::size_t close = char_at(text_, open) == '[' ? text_.find(']', open) : kNowhere;
    if (close == kNowhere) return {};
    at_ = close + 1;
    return text_.substr(open, close + 1 - open);
  }

  std::size_t character_size() const {
    std::size_t size = 1;  // and the bytes that continue a UTF-8 character
    while (continues_character(char_at(text_, at_ + size))) ++size;
    return size;
  }

  std::string_view take(std::size_t size) {
    const std::string_view taken = text_.substr(at_, size);
    at_ += taken.size();
    return taken;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

std::string_view strip_markdown(std::string_view text) {
  while (!text.empty() && std::string_view(" *`_").find(text.front()) != kNowhere) text.remove_prefix(1);
  while (!text.empty() && std::string_view(" *`").find(text.back()) != kNowhere) text.remove_suffix(1);
  return text;
}

/// End of the name at the start of the text: a letter, a Greek command, or f(x); 0 if there is none.
std::size_t name_end(std::string_view text) {
  if (text.starts_with('\\')) {
    const std::string_view name = letters_at(text, 1);
    return contains(kGreek, name) ? name.size() + 1 : 0;
  }
  if (!is_letter(char_at(text, 0))) return 0;
  const bool is_function = char_at(text, 1) == '(' && is_letter(char_at(text, 2)) && char_at(text, 3) == ')';
  return is_function ? 4 : 1;
}

/// Drops one leading "x =" or "x \in" unless another relation follows.
std::string_view drop_name(std::string_view text) {
  const std::size_t name = name_end(text);
  if (name == 0) return text;
  std::string_view rest = trim(text.substr(name));
  if (rest.starts_with('='))
    rest.remove_prefix(1);
  else if (rest.starts_with('\\') && letters_at(rest, 1) == "in")
    rest.remove_prefix(3);
  else
    return text;
  for (const std::string_view relation : {"=", "<", ">", "\\leq", "\\geq"})
    if (rest.find(relation) != kNowhere) return text;
  return trim(rest);
}

}  // namespace

std::string normalise_symbols(std::string_view answer) {
  return ArgumentPass(SymbolPass(answer).run()).run();
}

std::string_view normalise_ends(AnswerKind kind, std::string_view text) {
  text = strip_markdown(text);
  if (text.ends_with('.')) text.remove_suffix(1);
  text = drop_name(strip_markdown(text));
  if (const std::size_t equals = text.rfind('='); kind == AnswerKind::Gsm8k && equals != kNowhere)
    text = trim(text.substr(equals + 1));
  return text;
}

}  // namespace tandem::grading
