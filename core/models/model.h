// One Model = embedding, layers of {norm, mixer, norm, MLP}, norm, head. Layers differ only in their Mixer.
// Immutable after loading and shared between jobs; everything that changes while decoding lives in a
// DecodeState.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/checkpoint/model_config.h"
#include "core/models/prompt_format.h"
#include "core/tensor/tensor.h"
#include "core/tokenizer/tokenizer.h"
#include "kernels/base/context.h"

namespace tandem {

enum class MixerKind {
  Attention,       // causal softmax attention with RoPE and grouped heads (Llama)
  DiscreteMamba2,  // Llamba: decay from the token, no step size
  HybridMamba2,    // MambaInLlama, Mamba-2 style: step size dt in the columns
  HybridMamba1,    // MambaInLlama, Mamba-1 style: every channel has a matrix of its own
  Mamba2,          // standard Mamba-2
};
inline constexpr std::array kMixerKinds = {MixerKind::Attention, MixerKind::DiscreteMamba2,
                                           MixerKind::HybridMamba2, MixerKind::HybridMamba1,
                                           MixerKind::Mamba2};
/// "attention", "discrete Mamba-2", "Mamba-2 (MambaInLlama)", "Mamba-1 (MambaInLlama)", "Mamba-2"
const char* mixer_kind_name(MixerKind kind);
inline bool is_recurrent(MixerKind kind) {
  return kind != MixerKind::Attention;
}
/// Whether the matrix of a head is decay times content, entry by entry.
inline bool has_factors(MixerKind kind) {
  return is_recurrent(kind) && kind != MixerKind::HybridMamba1;
}
/// Whether a head's channels mix by matrices of their own, so that the head's is their mean.
inline bool is_channel_mean(MixerKind kind) {
  return kind == MixerKind::HybridMamba1;
}

/// How a device holds what completions remember. The CPU holds all of it in f32 and writes it at every step.
struct StateStorage {
  DType caches = DType::F32;  // keys and values: F32 or BF16
  DType states = DType::F32;  // of recurrent layers: F32 or BF16; convolution windows stay in f32
  /// Steps between writes of a Mamba-2 state, up to 16; the inputs in between are kept and replayed, since at
  /// many completions a step's time is that of reading and writing states. Mamba-1 states, whose decays differ
  /// from entry to entry, are always written.
  int write_every = 1;

  bool operator==(const StateStorage&) const = default;
};
inline constexpr int kMaxWriteEvery = 16;
/// Errors: InvalidArgument (another type, write_every outside 1 to 16), Unsupported (the CPU, without the
/// defaults).
Status check_storage(const StateStorage& storage, const Device* device);
/// ", caches bf16, states written every 8 steps", to follow a device's name; empty for the defaults.
std::string storage_text(const StateStorage& storage);

/// What a layer is, for cards, navigators and memory plans. Sizes come from the file.
struct LayerInfo {
  MixerKind mixer = MixerKind::Attention;
  std::int64_t nheads = 0;                 // rows of the layer's mixing-matrix stack
  std::int64_t nheads_kv = 0;              // attention: KV heads; SSM: groups of B and C
  std::int64_t headdim = 0;                // P: width of a head's values
  std::int64_t dstate = 0;                 // N: SSM state per head; 0 for attention
  std::int64_t cache_bytes_per_token = 0;  // KV bytes one more token costs; 0 for SSM
  std::int64_t state_bytes = 0;  // fixed bytes per completion (state and conv window); 0 for attention
  std::int64_t replay_bytes = 0;  // more for each step whose inputs are kept; 0 where states are always written
};

struct ModelInfo {
  std::string name;    // of the folder or file, "pocket-teacher"
  std::string family;  // "llama", "llamba", "mamba_in_llama", "mamba2"
  std::string path;
  std::string sha256;  // of the weight files' bytes, hexadecimal
  bool random_weights =
      false;                // no files: the shape is a published one's or a configuration's, the text is none
  std::string config_json;  // config.json as read
  std::int64_t parameters = 0;
  std::int64_t weight_bytes = 0;   // the matrices that a decode step reads, as packed
  std::int64_t single_bytes = 0;   // those as a step of one completion reads them; 0: as packed
  std::int64_t memory_bytes = 0;   // all of the model in memory: those, the embedding, norms and the rest
  std::int64_t packing_bytes = 0;  // beyond that, while the largest matrix is packed
  std::int64_t vocab = 0;
  bool is_verifier = false;  // gives one score per token in place of a vocabulary's logits
  std::int64_t d_model = 0;
  std::int64_t d_ff = 0;
  std::int64_t max_context = 0;       // tokens; 0 when the architecture sets no limit
  std::vector<std::int32_t> eos_ids;  // tokens that end a completion
  std::vector<LayerInfo> layers;

  std::int64_t outputs() const { return is_verifier ? 1 : vocab; }  // width of logits
  bool is_pure_attention() const;                                   // a teacher
  std::int64_t cache_bytes_per_token(const StateStorage& storage = {}) const;
  std::int64_t state_bytes(const StateStorage& storage = {}) const;
};

/// One token for each of B slots: what it is, whose, and its position in its sequence.
struct StepOperands {
  std::span<const std::int32_t> tokens, slot_ids, positions;
};

class Mixer;
struct ModelWeights;
class DecodeState;

class Model {
 public:
  Model(ModelInfo info, PromptFormat prompt, std::shared_ptr<const Tokenizer> tokenizer,
        std::unique_ptr<ModelWeights> weights, Device* device = nullptr);
  ~Model();
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;

  const ModelInfo& info() const { return info_; }
  const PromptFormat& prompt() const { return prompt_; }
  /// Not of a model with random weights, which has none.
  const Tokenizer& tokenizer() const { return *tokenizer_; }
  std::shared_ptr<const Tokenizer> shared_tokenizer() const { return tokenizer_; }
  /// Ids from here on are padding of the embedding, never to be sampled.
  std::int64_t vocab_size() const { return tokenizer_ ? tokenizer_->vocab_size() : info_.vocab; }
  const ModelWeights& weights() const { return *weights_; }
  /// Where the weights lie, so where contexts must compute; null: on the CPU.
  Device* device() const { return device_; }

  /// Whole-sequence forward pass. ids: T >= 1 tokens, each in [0, vocab). Fills the prompt part of `state`
  /// when it is not null.
  /// @param logits on the model's device: [T, V], or [1, V] to get only the last position's; V is
  /// info().outputs().
  /// @param observer sees each layer's input when not null (used by core/mixing).
  class LayerObserver {
   public:
    virtual ~LayerObserver() = default;
    /// input: residual stream entering layer's block [T, C]; normed: after its norm [T, C]; output: the
    /// mixer's output [T, C].
    virtual void on_layer(std::int64_t layer, const Mixer& mixer, TensorView input, TensorView normed,
                          TensorView output) = 0;
  };
  void prefill(Context& context, std::span<const std::int32_t> ids, DecodeState* state, TensorView logits,
               LayerObserver* observer = nullptr) const;

  /// One decode step of all active completions: tokens[b] enters slot slots[b]; logits [B, V], on the model's
  /// device.
  void step(Context& context, DecodeState& state, std::span<const std::int32_t> tokens,
            std::span<const std::int32_t> slots, TensorView logits) const;
  /// Nothing but the ops of such a step, for operands that lie where the context computes; whoever gives them
  /// counts the slots' tokens.
  void step_placed(Context& context, DecodeState& state, const StepOperands& operands,
                   TensorView logits) const;

 private:
  ModelInfo info_;
  PromptFormat prompt_;
  std::shared_ptr<const Tokenizer> tokenizer_;
  std::unique_ptr<ModelWeights> weights_;
  Device* device_ = nullptr;
};

struct LoadOptions {
  /// Packed weight type: F32, or BF16 on a device and where the CPU multiplies it. Quantised weights stay as
  /// they are for a single completion, and are packed to BF16 for more.
  DType weights = DType::F32;
  Device* device = nullptr;  // to compute on; null: the CPU
  /// Where a model published without a tokenizer (Llamba) takes one, with prompt format and end tokens: a
  /// folder, or a tokenizer.json in one; else a model with the same vocabulary, its teacher.
  std::string tokenizer;
  std::shared_ptr<const Model> teacher;
  AttentionRope attention_rope = AttentionRope::ByNames;  // else instead of what mamba_config.json says
  /// Told of bytes read and bytes to read, now and then, on the loading thread.
  std::function<void(std::int64_t done, std::int64_t total)> progress;
  std::stop_token stop;
};

/// Opens a model: a bundled name ("seed-teacher"), a folder with config.json, a .safetensors file in such a
/// folder, or a .gguf file. Errors (each one sentence naming the file or tensor, what was found and what was
/// wanted): NotFound, BadFormat, Mismatch, Unsupported, OutOfRange (memory), Cancelled.
Result<std::shared_ptr<const Model>> open_model(const std::string& name_or_path,
                                                const LoadOptions& options = {});

/// Published models whose shapes come along: a configuration, no weights. Where a fact is not published the
/// most likely one stands: Llamba-1B has Llamba-3B's heads and state size, MambaInLlama-1B attends in every
/// fourth layer (models.md 2.1, 3.1).
inline constexpr std::array kPublishedShapes = {"Llama-3.2-1B", "Llamba-1B", "MambaInLlama-1B",
                                                "Llama-3.2-3B", "Llamba-3B", "MambaInLlama-3B"};
/// A model of random BF16 weights, the same ones every time, to measure what its shape costs. It has no
/// tokenizer: ids go in and come out. `name_or_path`: one of kPublishedShapes, or a folder with a
/// config.json. Errors: those of open_model() that concern no weights.
Result<std::shared_ptr<const Model>> random_model(const std::string& name_or_path,
                                                  const LoadOptions& options = {});

/// Refuses models that cannot write. Errors: Unsupported, when the model is a verifier.
Status check_writes(const ModelInfo& info);

/// Names of the bundled models that write, in the order to offer them, and of those that score.
std::vector<std::string> bundled_models();
std::vector<std::string> bundled_verifiers();

}  // namespace tandem
