// Checks of numbers on the command line whose complaints say what was found and what was wanted.
#pragma once

#include <string>

#include <CLI/CLI.hpp>

namespace tandem::cli {

inline CLI::Validator numberCheck(const std::string& wanted, bool zeroAllowed) {
  return CLI::Validator(
      [wanted, zeroAllowed](std::string& text) {
        double value = 0;
        const bool number = CLI::detail::lexical_cast(text, value);
        if (number && (value > 0 || (zeroAllowed && value == 0))) return std::string();
        return "found " + text + ", wanted " + wanted;
      },
      "");
}

/// A number above 0.
inline const CLI::Validator kAboveZero = numberCheck("a number above 0", false);
/// A number of at least 0.
inline const CLI::Validator kAtLeastZero = numberCheck("a number of at least 0", true);

}  // namespace tandem::cli
