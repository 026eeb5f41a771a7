#include "core/models/memory_plan.h"

#include <charconv>
#include <fstream>
#include <iterator>
#include <string_view>

#include <fmt/format.h>

namespace tandem {
namespace {

constexpr double kGiB = 1024.0 * 1024.0 * 1024.0;
constexpr std::int64_t kFloat = sizeof(float);

/// Floats that one row of activations takes at the widest point of a layer: the residual stream, its norm and
/// the mixer's output; beside them either the MLP's two halves or a mixer's projection, convolution and
/// output, each some multiple of the width.
std::int64_t row_floats(const ModelInfo& info) {
  std::int64_t widest = 2 * info.d_ff;
  for (const LayerInfo& layer : info.layers) {
    const std::int64_t inner = layer.nheads * layer.headdim;
    widest = std::max(widest, 4 * inner + 2 * layer.nheads_kv * std::max(layer.dstate, layer.headdim));
  }
  return 3 * info.d_model + widest;
}

/// "MemAvailable:   12345 kB" in /proc/meminfo, in bytes; 0 when there is no such line.
std::int64_t meminfo_available(std::string_view text) {
  constexpr std::string_view kKey = "MemAvailable:";
  const std::size_t at = text.find(kKey);
  if (at == std::string_view::npos) return 0;
  text.remove_prefix(at + kKey.size());
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  std::int64_t kilobytes = 0;
  std::from_chars(text.data(), text.data() + text.size(), kilobytes);
  return kilobytes * 1024;
}

double gib(std::int64_t bytes) {
  return static_cast<double>(bytes) / kGiB;
}

}  // namespace

MemoryPlan plan_memory(const ModelInfo& info, const StateShape& shape) {
  MemoryPlan plan;
  plan.weights = info.memory_bytes;
  plan.loading = info.packing_bytes;
  const std::int64_t cache = info.cache_bytes_per_token(shape.storage);
  const std::int64_t own_tokens = shape.new_tokens + (shape.private_prefix ? shape.prompt_tokens : 0);
  plan.completions = shape.batch * (own_tokens * cache + info.state_bytes(shape.storage));
  if (shape.prompt_tokens > 0) plan.prompt = shape.prompt_tokens * cache + info.state_bytes();
  const std::int64_t rows = std::max(shape.prompt_tokens, shape.batch);
  plan.working = (rows * row_floats(info) + shape.batch * info.outputs()) * kFloat;
  return plan;
}

std::int64_t available_memory(const Device* device) {
  if (device != nullptr) return device->free_bytes();
  std::ifstream file("/proc/meminfo");  // of no stated size, so read_file() would find it empty
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  return meminfo_available(text);
}

Status check_load(const ModelInfo& info, const MemoryPlan& plan, std::int64_t available) {
  if (available <= 0 || plan.weights + plan.loading <= available) return {};
  return Error{
      ErrorCode::OutOfRange,
      fmt::format("{} needs {:.1f} GiB of memory ({:.1f} for its weights, {:.1f} more while they are "
                  "packed), {:.1f} GiB are free; bf16 weights take half of what f32 ones do",
                  info.name, gib(plan.weights + plan.loading), gib(plan.weights), gib(plan.loading),
                  gib(available))};
}

std::int64_t largest_batch(const ModelInfo& info, StateShape shape, std::int64_t available) {
  std::int64_t fits = 0;
  std::int64_t too_many = shape.batch + 1;
  while (too_many - fits > 1) {
    shape.batch = fits + (too_many - fits) / 2;
    (plan_memory(info, shape).running() <= available ? fits : too_many) = shape.batch;
  }
  return fits;
}

Status check_run(const ModelInfo& info, const StateShape& shape, std::int64_t available) {
  const MemoryPlan plan = plan_memory(info, shape);
  if (available <= 0 || plan.running() <= available) return {};
  const std::int64_t fits = largest_batch(info, shape, available);
  const std::string advice = fits > 0 ? fmt::format("a batch of {} in place of {} fits", fits, shape.batch)
                                      : "not even one completion fits, shorter ones need less";
  return Error{
      ErrorCode::OutOfRange,
      fmt::format("{} needs up to {:.1f} GiB of memory beside its weights ({:.1f} for the prompt, {:.1f} "
                  "for completions, {:.1f} to compute), {:.1f} GiB are free; {}",
                  info.name, gib(plan.running()), gib(plan.prompt), gib(plan.completions), gib(plan.working),
                  gib(available), advice)};
}

}  // namespace tandem
