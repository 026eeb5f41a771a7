// Any text: tokenizer.json is refused, or the tokenizer encodes and decodes without fault, alike in one go
// and in a stream.
#include <cstdint>

#include "core/base/utf8.h"
#include "core/tokenizer/tokenizer.h"

using namespace tandem;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto tokenizer = parse_tokenizer(text, "fuzz.json");
  if (!tokenizer) {
    TANDEM_CHECK(tokenizer.error().message.starts_with("fuzz.json: "), "an error names its file");
    return 0;
  }
  const Tokenizer& made = **tokenizer;
  for (const std::string_view sample : {text.substr(0, 200), std::string_view("ab  12\u00E9\xFF <eos>")}) {
    for (const bool special : {false, true}) {
      const std::vector<std::int32_t> ids = made.encode(sample, special, special);
      StreamDecoder decoder(made);
      std::string streamed;
      for (const std::int32_t id : ids) {
        TANDEM_CHECK(id >= 0 && id < made.vocab_size(), "ids are in range");
        streamed += decoder.push(id);
      }
      streamed += decoder.finish();
      TANDEM_CHECK(streamed == made.decode(ids), "a stream decodes as the whole does");
      TANDEM_CHECK(is_utf8(made.decode(ids, true)), "decoded text is UTF-8");
    }
  }
  return 0;
}
