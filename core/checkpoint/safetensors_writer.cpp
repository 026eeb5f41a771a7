#include <algorithm>
#include <cstring>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/base/file.h"
#include "core/checkpoint/checkpoint.h"

namespace tandem {
namespace {

using nlohmann::ordered_json;

/// Widest elements first, so that every tensor starts at a multiple of its element; then by name.
std::vector<const NamedTensor*> in_file_order(std::span<const NamedTensor> tensors) {
  std::vector<const NamedTensor*> order;
  for (const NamedTensor& tensor : tensors) order.push_back(&tensor);
  std::sort(order.begin(), order.end(), [](const NamedTensor* a, const NamedTensor* b) {
    const auto bytes_a = element_bytes(a->view.dtype());
    const auto bytes_b = element_bytes(b->view.dtype());
    return bytes_a != bytes_b ? bytes_a > bytes_b : a->name < b->name;
  });
  return order;
}

std::int64_t view_bytes(const TensorView& view) {
  return view.elements() * element_bytes(view.dtype());
}

/// The length field and the header, padded so that the data begins at a multiple of 8.
std::string make_header(std::span<const NamedTensor* const> order,
                        const std::map<std::string, std::string>& metadata) {
  ordered_json header = ordered_json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::int64_t offset = 0;
  for (const NamedTensor* tensor : order) {
    const TensorView& view = tensor->view;
    TANDEM_CHECK(view.contiguous(), tensor->name + " is not contiguous");
    TANDEM_CHECK(!header.contains(tensor->name), tensor->name + " is given twice");
    std::vector<std::int64_t> shape;
    for (int i = 0; i < view.rank(); ++i) shape.push_back(view.extent(i));
    const std::int64_t end = offset + view_bytes(view);
    header[tensor->name] = {
        {"dtype", dtype_name(view.dtype())}, {"shape", shape}, {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text = header.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
  text.resize((text.size() + 7) / 8 * 8, ' ');
  const std::uint64_t length = text.size();
  std::string bytes(sizeof length, '\0');
  std::memcpy(bytes.data(), &length, sizeof length);
  return bytes + text;
}

}  // namespace

Status write_safetensors(const std::string& path, std::span<const NamedTensor> tensors,
                         const std::map<std::string, std::string>& metadata) {
  const std::vector<const NamedTensor*> order = in_file_order(tensors);
  const std::string header = make_header(order, metadata);
  std::vector<std::string_view> parts = {header};
  for (const NamedTensor* tensor : order)
    parts.emplace_back(static_cast<const char*>(tensor->view.data()),
                       static_cast<std::size_t>(view_bytes(tensor->view)));
  return write_file(path, parts);
}

}  // namespace tandem
