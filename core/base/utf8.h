// UTF-8 (RFC 3629): what JSON files and the window can carry.
#pragma once

#include <string>
#include <string_view>

namespace tandem {

/// Shortest forms only, no surrogates, nothing above U+10FFFF.
bool is_utf8(std::string_view bytes);

/// Makes a stream of bytes valid UTF-8: each longest invalid part (Unicode 15, section 3.9) becomes one
/// U+FFFD. An unfinished sequence is held back until the bytes that follow decide.
class Utf8Repair {
 public:
  /// The text that these bytes made final.
  std::string push(std::string_view bytes);
  /// The rest, when no more bytes follow.
  std::string finish();

 private:
  void begin(unsigned char lead, std::string& text);
  std::string held_;       // a sequence so far
  int missing_ = 0;        // bytes it still needs
  unsigned char low_ = 0;  // range of the next one
  unsigned char high_ = 0;
};

/// A whole text made valid.
std::string repair_utf8(std::string_view bytes);

}  // namespace tandem
