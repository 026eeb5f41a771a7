#include "core/generation/batch_decoder.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "kernels/base/philox.h"
#include "kernels/ops/copy.h"
#include "kernels/ops/slots.h"

namespace tandem {
namespace {

enum Field { kToken, kPosition, kCompletion, kFields };

}  // namespace

BatchDecoder::BatchDecoder(const Model& model, Context& context, const StateShape& shape,
                           const SamplingRule& rule, const DrawSeed& seed)
    : model_(model),
      context_(context),
      rule_(rule),
      seed_(seed),
      state_(context, model, shape),
      prompt_logits_(Tensor::uninitialized({1, model.info().vocab}, DType::F32, model.device())),
      logits_(Tensor::uninitialized({shape.batch, model.info().vocab}, DType::F32, model.device())),
      slots_(static_cast<std::size_t>(shape.batch)) {
  if (context.queue() == nullptr) return;
  table_ = Tensor::uninitialized({kFields, shape.batch}, DType::I32, context.device());
  fields_ = Tensor::uninitialized({kFields, shape.batch}, DType::I32, context.device());
  slot_ids_ = Tensor::uninitialized({shape.batch}, DType::I32, context.device());
  drawn_ = Tensor::uninitialized({2, shape.batch}, DType::F32, context.device());
}

void BatchDecoder::prefill(std::span<const std::int32_t> prompt) {
  model_.prefill(context_, prompt, &state_, prompt_logits_);
  if (DeviceQueue* queue = context_.queue()) queue->synchronize();
}

void BatchDecoder::start(std::int32_t slot, std::int32_t completion) {
  state_.start_slot(slot);
  at(slot) = {.completion = completion};
  DeviceQueue* queue = context_.queue();
  if (queue == nullptr) return;
  const auto position = static_cast<std::int32_t>(state_.shape().prompt_tokens - 1);
  const std::array<std::int32_t, kFields> fields = {0, position, completion};
  auto* table = static_cast<std::int32_t*>(table_.data());
  for (std::size_t field = 0; field < fields.size(); ++field)
    queue->copy_in(table + static_cast<std::int64_t>(field) * state_.shape().batch + slot, &fields[field],
                   sizeof(std::int32_t));
}

void BatchDecoder::step(std::span<const std::int32_t> slots) {
  order_.assign(slots.begin(), slots.end());
  const auto fresh = std::stable_partition(order_.begin(), order_.end(),
                                           [&](std::int32_t slot) { return at(slot).tokens > 0; });
  InFlight flight;
  for (const std::int32_t slot : order_) flight.drawn.rows.push_back({slot, at(slot).completion});
  const std::int64_t first_fresh = fresh - order_.begin();
  if (DeviceQueue* queue = context_.queue()) {
    step_on_device(*queue, flight, first_fresh);
  } else {
    step_on_cpu(flight, first_fresh);
  }
  for (const std::int32_t slot : order_) ++at(slot).tokens;
  in_flight_.push_back(std::move(flight));
}

void BatchDecoder::step_on_cpu(InFlight& flight, std::int64_t fresh) {
  const auto rows = static_cast<std::int64_t>(order_.size());
  const std::span decoded(order_.data(), static_cast<std::size_t>(fresh));
  ids_.clear();
  uniforms_.clear();
  for (const std::int32_t slot : decoded) ids_.push_back(at(slot).last);
  if (fresh > 0) model_.step(context_, state_, ids_, decoded, logits_.view().rows(0, fresh));
  for (std::int64_t row = fresh; row < rows; ++row)
    copy(context_, prompt_logits_, logits_.view().rows(row, 1));
  for (const std::int32_t slot : order_)
    uniforms_.push_back(completion_uniform(seed_.seed, seed_.problem,
                                           static_cast<std::uint32_t>(at(slot).completion),
                                           static_cast<std::uint32_t>(at(slot).tokens)));
  ids_.resize(order_.size());
  logprobs_.resize(order_.size());
  sample(context_, logits_.view().rows(0, rows), model_.vocab_size(), rule_, {.uniforms = uniforms_}, ids_,
         logprobs_);
  for (std::size_t row = 0; row < order_.size(); ++row) {
    at(order_[row]).last = ids_[row];
    flight.drawn.rows[row].token = ids_[row];
    flight.drawn.rows[row].logprob = logprobs_[row];
  }
}

void BatchDecoder::step_on_device(DeviceQueue& queue, InFlight& flight, std::int64_t fresh) {
  const auto rows = static_cast<std::int64_t>(order_.size());
  queue.copy_in(slot_ids_.data(), order_.data(), rows * element_bytes(DType::I32));
  if (fresh > 0) {
    recorder_.run(queue, fresh, [&] {
      const DeviceRows decoded = gather(0, fresh);
      const TensorView logits = logits_.view().rows(0, fresh);
      model_.step_placed(context_, state_, {decoded.tokens, decoded.slots, decoded.positions}, logits);
      draw_on_device(decoded, logits);
    });
    for (const std::int32_t slot : std::span(order_).first(static_cast<std::size_t>(fresh)))
      state_.advance(slot);
  }
  if (fresh < rows) {
    for (std::int64_t row = fresh; row < rows; ++row)
      copy(context_, prompt_logits_, logits_.view().rows(row, 1));
    draw_on_device(gather(fresh, rows - fresh), logits_.view().rows(fresh, rows - fresh));
  }
  flight.read = queue.start_copy_out(drawn_.data(), drawn_.bytes());
}

BatchDecoder::DeviceRows BatchDecoder::gather(std::int64_t first, std::int64_t count) {
  const auto ids = [&](const Tensor& tensor, std::int64_t offset) {
    return std::span(static_cast<std::int32_t*>(tensor.data()) + offset, static_cast<std::size_t>(count));
  };
  const std::int64_t begin = kFields * first;  // rows [kFields, count] of their own
  const DeviceRows rows = {.first = first,
                           .slots = ids(slot_ids_, first),
                           .tokens = ids(fields_, begin + kToken * count),
                           .positions = ids(fields_, begin + kPosition * count),
                           .completions = ids(fields_, begin + kCompletion * count)};
  gather_slots(context_, table_, rows.slots,
               TensorView(ids(fields_, begin).data(), DType::I32, {kFields, count}));
  return rows;
}

void BatchDecoder::draw_on_device(const DeviceRows& rows, TensorView logits) {
  const std::span tokens(static_cast<std::int32_t*>(drawn_.data()) + rows.first, rows.slots.size());
  const std::span logprobs(static_cast<float*>(drawn_.data()) + state_.shape().batch + rows.first,
                           rows.slots.size());
  sample(context_, logits, model_.vocab_size(), rule_,
         {.seed = seed_.seed,
          .problem = seed_.problem,
          .completions = rows.completions,
          .positions = rows.positions,
          .first = static_cast<std::int32_t>(state_.shape().prompt_tokens - 1)},
         tokens, logprobs);
  put_tokens(context_, tokens, rows.slots, table_);
}

Drawn BatchDecoder::collect() {
  TANDEM_CHECK(!in_flight_.empty(), "no step is in flight");
  InFlight flight = std::move(in_flight_.front());
  in_flight_.pop_front();
  if (flight.read) {
    const auto* values = static_cast<const char*>(flight.read->wait());
    const std::int64_t slots = state_.shape().batch;
    for (std::size_t row = 0; row < flight.drawn.rows.size(); ++row) {
      const auto at = static_cast<std::int64_t>(row);
      std::memcpy(&flight.drawn.rows[row].token, values + at * element_bytes(DType::I32),
                  sizeof(std::int32_t));
      std::memcpy(&flight.drawn.rows[row].logprob, values + (slots + at) * element_bytes(DType::F32),
                  sizeof(float));
    }
  }
  return std::move(flight.drawn);
}

}  // namespace tandem
