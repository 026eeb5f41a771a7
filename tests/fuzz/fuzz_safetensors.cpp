// Any bytes: the safetensors index is refused, or its tensors tile the data exactly.
#include <cstdint>
#include <set>

#include "core/checkpoint/checkpoint.h"

using namespace tandem;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto entries = read_safetensors_index(std::as_bytes(std::span(data, size)), "fuzz.safetensors");
  if (!entries) {
    TANDEM_CHECK(entries.error().message.starts_with("fuzz.safetensors: "), "an error names its file");
    return 0;
  }
  std::uint64_t covered = 0;
  std::set<std::string> names;
  for (const TensorEntry& entry : *entries) {
    TANDEM_CHECK(names.insert(entry.name).second, "names differ");
    TANDEM_CHECK(covered == 0 || entry.begin == covered, "tensors follow each other");
    TANDEM_CHECK(entry.begin >= 8 && entry.end >= entry.begin, "a range has a beginning and an end");
    covered = entry.end;
  }
  TANDEM_CHECK(covered == 0 || covered == size, "tensors end with the file");
  return 0;
}
