// Makes GGUF files for tests: whole ones, and the pieces that broken ones are put together from.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tandem::test::gguf {

template <typename Number>
std::string raw(Number number) {
  std::string bytes(sizeof number, '\0');
  std::memcpy(bytes.data(), &number, sizeof number);
  return bytes;
}
inline std::string u32(std::uint32_t number) {
  return raw(number);
}
inline std::string u64(std::uint64_t number) {
  return raw(number);
}
inline std::string text(std::string_view text) {
  return u64(text.size()) + std::string(text);
}

// A setting, by the type of its value.
inline std::string setting(std::string_view key, std::uint32_t type, const std::string& value) {
  return text(key) + u32(type) + value;
}
inline std::string setting(std::string_view key, std::uint32_t value) {
  return setting(key, 4, u32(value));
}
inline std::string setting(std::string_view key, float value) {
  return setting(key, 6, raw(value));
}
inline std::string setting(std::string_view key, bool value) {
  return setting(key, 7, raw(static_cast<std::uint8_t>(value)));
}
inline std::string setting(std::string_view key, const char* value) {
  return setting(key, 8, text(value));
}
inline std::string setting(std::string_view key, const std::vector<std::string>& values) {
  std::string bytes = u32(8) + u64(values.size());
  for (const std::string& value : values) bytes += text(value);
  return setting(key, 9, bytes);
}
inline std::string setting(std::string_view key, const std::vector<std::int32_t>& values) {
  std::string bytes = u32(5) + u64(values.size());
  for (const std::int32_t value : values) bytes += raw(value);
  return setting(key, 9, bytes);
}

/// The entry of a tensor; extents as the file has them, the contiguous one first.
inline std::string tensor(std::string_view name, const std::vector<std::uint64_t>& extents,
                          std::uint32_t type, std::uint64_t offset) {
  std::string bytes = text(name) + u32(static_cast<std::uint32_t>(extents.size()));
  for (const std::uint64_t extent : extents) bytes += u64(extent);
  return bytes + u32(type) + u64(offset);
}

inline std::string header(std::uint64_t tensors, std::uint64_t settings, std::uint32_t version = 3) {
  return "GGUF" + u32(version) + u64(tensors) + u64(settings);
}

inline std::string padded(std::string bytes, std::size_t alignment = 32) {
  bytes.resize((bytes.size() + alignment - 1) / alignment * alignment);
  return bytes;
}

/// A file put together setting by setting and tensor by tensor.
class Writer {
 public:
  template <typename... Value>
  void set(Value&&... value) {
    set_raw(setting(std::forward<Value>(value)...));
  }
  void set_raw(const std::string& entry) {
    settings_ += entry;
    ++setting_count_;
  }
  void add(std::string_view name, const std::vector<std::uint64_t>& extents, std::uint32_t type,
           const std::string& data) {
    tensors_ += tensor(name, extents, type, data_.size());
    data_ = padded(data_ + data);
    ++tensor_count_;
  }
  std::string bytes() const {
    return padded(header(tensor_count_, setting_count_) + settings_ + tensors_) + data_;
  }

 private:
  std::string settings_, tensors_, data_;
  std::uint64_t setting_count_ = 0, tensor_count_ = 0;
};

}  // namespace tandem::test::gguf
