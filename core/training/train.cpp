#include "core/training/train.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>

#include <fmt/format.h>

#include "core/base/file.h"
#include "core/checkpoint/checkpoint.h"
#include "core/training/adamw.h"
#include "core/training/completions.h"
#include "core/training/log.h"
#include "core/training/model_files.h"
#include "core/training/objective.h"
#include "core/training/probe.h"
#include "core/training/student_start.h"
#include "core/training/trainable_model.h"

namespace tandem::training {
namespace {

namespace fs = std::filesystem;

constexpr const char* kCheckpoint = "training.safetensors";
constexpr const char* kCompletions = "completions.tandem";
constexpr const char* kPosition = "position";  // stage, step, tokens in two words
constexpr std::int64_t kPlaceWords = 4;
constexpr std::int64_t kMaxLogBytes = std::int64_t{1} << 32;
constexpr std::uint64_t kWeightStream = 1;                       // of the recipe's seed
constexpr std::uint64_t kProbeExample = std::uint64_t{1} << 60;  // of the corpus: no run gets that far

Status write_text(const fs::path& path, std::string_view text) {
  return write_file(path.string(), std::span(&text, 1));
}

/// A run's place: stage, and updates done in it.
struct Position {
  std::int64_t stage = 0;
  std::int64_t step = 0;
  std::int64_t tokens = 0;  // of all updates so far
};

class Run {
 public:
  Run(const Recipe& recipe, const TrainingOptions& options, TrainingObserver& observer)
      : recipe_(recipe),
        folder_(options.folder),
        observer_(observer),
        context_(options.threads, options.device) {}

  Status begin(bool resume, const std::stop_token& stop);
  /// False when the sampling of completions was stopped: there is nothing to train on yet.
  bool ready() const { return examples_ != nullptr; }
  Status announce(bool resumed);
  Result<TrainingResult> work(std::stop_token stop);
  Status tell(EventKind kind, std::string text) {
    const bool end = finished();
    return observer_.on_event({kind, end ? position_.stage - 1 : position_.stage,
                               end ? recipe_.stages.back().schedule.steps : position_.step, std::move(text)});
  }

 private:
  Status open_models();
  Status write_fresh_folder();
  Status make_model();
  Status find_examples(const std::stop_token& stop);
  Status start_weights();
  Status read_checkpoint();
  Status cut_log();
  Status save();
  Status snapshot();
  void enter_stage();
  void pack_products();
  void place_all();
  Status finish_stage();
  Status finish_update(const TrainingUpdate& done, std::ofstream& log);
  Result<TrainingUpdate> update(const BatchSource& source);
  BatchSource source_of(const Stage& stage) const;
  const Stage& stage() const { return recipe_.stages[static_cast<std::size_t>(position_.stage)]; }
  bool finished() const { return position_.stage == static_cast<std::int64_t>(recipe_.stages.size()); }

  const Recipe& recipe_;
  fs::path folder_;
  TrainingObserver& observer_;
  Context context_;
  std::shared_ptr<const Model> teacher_;
  std::shared_ptr<const Model> start_;
  std::shared_ptr<const Tokenizer> tokenizer_;
  PromptFormat prompt_;
  std::int32_t end_ = 0;
  std::shared_ptr<const ExampleSource> examples_;
  std::unique_ptr<TrainableModel> model_;
  std::unique_ptr<Objective> objective_;
  std::optional<AdamW> optimizer_;
  std::optional<Probe> probe_;  // with a teacher
  Position position_;
};

Status Run::write_fresh_folder() {
  std::error_code error;
  if (fs::exists(folder_ / kRecipeName, error))
    return Error{ErrorCode::InvalidArgument,
                 fmt::format("{}: holds a training run already; resume it or choose another folder",
                             folder_.string())};
  fs::create_directories(folder_, error);
  if (error) return Error{ErrorCode::Io, fmt::format("{}: {}", folder_.string(), error.message())};
  TANDEM_RETURN_IF_ERROR(write_model_files(recipe_, teacher_.get(), start_.get(), folder_));
  return write_text(folder_ / kRecipeName, recipe_.json);  // last: a folder that has it is complete
}

Status Run::make_model() {
  TANDEM_TRY(const ModelConfig config, read_model_config(folder_.string()));
  if (config.family == ModelFamily::Mamba2 || config.dt_rank > 0)
    return Error{ErrorCode::Unsupported,
                 "models with Mamba-1-style or standard Mamba-2 mixers are not trained"};
  TANDEM_TRY(tokenizer_, read_tokenizer((folder_ / "tokenizer.json").string()));
  TANDEM_TRY(prompt_, read_prompt_format((folder_ / "prompt.json").string()));
  const auto end = tokenizer_->id_of(prompt_.eos_token);
  if (!end) return Error{ErrorCode::Mismatch, "the tokenizer has no end token '" + prompt_.eos_token + "'"};
  end_ = *end;
  if (tokenizer_->vocab_size() > config.vocab_size)
    return Error{ErrorCode::Mismatch, fmt::format("the tokenizer has {} tokens, the model {}",
                                                  tokenizer_->vocab_size(), config.vocab_size)};
  model_ = std::make_unique<TrainableModel>(config);
  return {};
}

BatchSource Run::source_of(const Stage& stage) const {
  const Target target = stage.goal == Goal::Outcome ? Target::Outcome : Target::NextToken;
  return {{stage.shape, stage.accumulate, recipe_.prompt_weight, stage.result_weight, target}, examples_};
}

// The corpus, or what the recipe's completions are sampled to be: all of them for a verifier, those that are
// right for a model that is to write. None when that was stopped.
Status Run::find_examples(const std::stop_token& stop) {
  if (!recipe_.completions) {
    examples_ = std::make_shared<CorpusExamples>(recipe_.corpus, *tokenizer_, end_);
    return {};
  }
  TANDEM_TRY(
      auto sampled,
      sample_completions(
          *recipe_.completions, recipe_.corpus.problems, (folder_ / kCompletions).string(),
          context_.threads(),
          [this](std::int64_t done, std::int64_t problems) { observer_.on_sampled(done, problems); }, stop));
  if (stop.stop_requested()) return {};
  const auto all = sampled.size();
  const auto right = std::count_if(sampled.begin(), sampled.end(), [](const auto& c) { return c.correct; });
  if (!recipe_.makes_verifier())
    std::erase_if(sampled, [](const SampledCompletion& c) { return !c.correct || !c.ended; });
  if (right == 0 || sampled.empty() || (recipe_.makes_verifier() && right == std::ssize(sampled)))
    return Error{
        ErrorCode::InvalidArgument,
        fmt::format("{} of {} completions by {} are right: {}", right, all, recipe_.completions->model,
                    right == 0        ? "there is nothing to learn from"
                    : sampled.empty() ? "but none of these comes to its end"
                                      : "a verifier needs wrong ones too; harder problems have them")};
  examples_ = std::make_shared<SampledExamples>(sampled, prompt_, *tokenizer_, end_, recipe_.seed);
  return {};
}

Status Run::open_models() {
  if (!recipe_.teacher.empty()) {
    // Its products as the student's: in stage 3 it costs a third of the student's arithmetic.
    LoadOptions options;
    options.weights = recipe_.precision == Precision::BF16 ? DType::BF16 : DType::F32;
    options.device = context_.device();
    TANDEM_TRY(teacher_, open_model(recipe_.teacher, options));
    TANDEM_RETURN_IF_ERROR(check_writes(teacher_->info()));
  }
  if (!recipe_.start.empty()) {
    TANDEM_TRY(start_, open_model(recipe_.start));
    if (!recipe_.makes_verifier()) TANDEM_RETURN_IF_ERROR(check_writes(start_->info()));
  }
  return {};
}

Status Run::start_weights() {
  const RandomStream random(recipe_.seed, kWeightStream);
  if (start_ != nullptr) {
    TANDEM_TRY(const auto checkpoint, Checkpoint::open(start_->info().path));
    std::vector<NamedTensor> tensors = model_->parameters().tensors();
    // A new verifier's head stays 0: to begin with, all completions are as likely right as wrong.
    if (model_->config().is_verifier && !start_->info().is_verifier)
      std::erase_if(tensors, [](const NamedTensor& tensor) { return tensor.name == "score.weight"; });
    return read_tensors(*checkpoint, tensors);
  }
  if (teacher_ == nullptr) {
    model_->initialize(random);
    return {};
  }
  const Stage& first = recipe_.stages.front();
  const std::vector<Batch> batch = source_of(first).update(0);
  const auto ids = std::span(batch.front().ids).first(static_cast<std::size_t>(first.shape.seqlen));
  return start_from_teacher(context_, *teacher_, ids, random, *model_);
}

Status Run::begin(bool resume, const std::stop_token& stop) {
  TANDEM_RETURN_IF_ERROR(open_models());
  if (resume) {
    const auto stored = read_file((folder_ / kRecipeName).string(), 1 << 20);
    if (!stored || *stored != recipe_.json)
      return Error{ErrorCode::InvalidArgument,
                   fmt::format("{}: {}", folder_.string(),
                               stored ? "was begun with another recipe" : "holds no training run to resume")};
  } else {
    TANDEM_RETURN_IF_ERROR(write_fresh_folder());
  }
  TANDEM_RETURN_IF_ERROR(make_model());
  TANDEM_RETURN_IF_ERROR(find_examples(stop));
  if (!ready()) return {};
  if (resume && fs::exists(folder_ / kCheckpoint)) return read_checkpoint();
  TANDEM_RETURN_IF_ERROR(start_weights());
  enter_stage();
  place_all();
  return save();
}

void Run::enter_stage() {
  if (finished()) return;
  objective_ = make_objective(stage().goal, teacher_, stage().accumulate);
  objective_->select_parameters(*model_);
  optimizer_.emplace(model_->parameters(), stage().optimizer);
  pack_products();
}

// To where updates compute, once all that is read from files has been.
void Run::place_all() {
  model_->parameters().place(context_);
  if (optimizer_) optimizer_->place(context_);
}

// After every change of the weights, so that whoever looks at the model between updates sees the newest.
void Run::pack_products() {
  if (recipe_.precision == Precision::BF16) model_->parameters().pack_products(context_);
}

Status Run::read_checkpoint() {
  TANDEM_TRY(const auto checkpoint, Checkpoint::open((folder_ / kCheckpoint).string()));
  TANDEM_TRY(const std::vector<std::int32_t> place, checkpoint->read_ids(kPosition));
  if (place.size() != kPlaceWords || place[0] < 0 || place[0] > std::ssize(recipe_.stages) || place[1] < 0)
    return Error{ErrorCode::BadFormat,
                 fmt::format("{}: '{}' is not a place in the recipe", kCheckpoint, kPosition)};
  const auto word = [&](std::size_t i) {
    return static_cast<std::int64_t>(static_cast<std::uint32_t>(place[i]));
  };
  position_ = {place[0], place[1], word(2) << 32 | word(3)};
  TANDEM_RETURN_IF_ERROR(read_tensors(*checkpoint, model_->parameters().tensors()));
  TANDEM_RETURN_IF_ERROR(cut_log());
  enter_stage();
  // A stage that has not begun starts from fresh moments.
  if (!finished() && position_.step > 0)
    TANDEM_RETURN_IF_ERROR(optimizer_->read(*checkpoint, position_.step));
  place_all();
  return {};
}

// Leaves the log's lines of the updates that the checkpoint knows; those after it are done again.
Status Run::cut_log() {
  const std::string path = (folder_ / kLogName).string();
  std::int64_t lines = position_.step;
  for (std::int64_t s = 0; s < position_.stage; ++s)
    lines += recipe_.stages[static_cast<std::size_t>(s)].schedule.steps;
  if (lines == 0) return write_text(path, "");
  TANDEM_TRY(const std::string text, read_file(path, kMaxLogBytes));
  std::size_t end = 0;
  for (std::int64_t line = 0; line < lines; ++line) {
    const std::size_t found = text.find('\n', end);
    if (found == std::string::npos)
      return Error{ErrorCode::Mismatch,
                   fmt::format("{}: has {} lines, the checkpoint is of update {}", path, line, lines)};
    end = found + 1;
  }
  return write_text(path, std::string_view(text).substr(0, end));
}

Status Run::save() {
  std::array<std::int32_t, kPlaceWords> place = {static_cast<std::int32_t>(position_.stage),
                                                 static_cast<std::int32_t>(position_.step),
                                                 static_cast<std::int32_t>(position_.tokens >> 32),
                                                 static_cast<std::int32_t>(position_.tokens & 0xFFFFFFFF)};
  const HostTensors weights(context_, model_->parameters().tensors());
  std::vector<NamedTensor> tensors = weights.all();
  tensors.push_back({kPosition, TensorView(place.data(), DType::I32, Shape{kPlaceWords})});
  const HostTensors moments(context_, finished() ? std::vector<NamedTensor>() : optimizer_->tensors());
  tensors.insert(tensors.end(), moments.all().begin(), moments.all().end());
  TANDEM_RETURN_IF_ERROR(write_safetensors((folder_ / kCheckpoint).string(), tensors));
  return write_safetensors((folder_ / "model.safetensors").string(), weights.all(), {{"format", "pt"}});
}

// One update, without its log line. The optimiser changes nothing when a gradient is not finite.
Result<TrainingUpdate> Run::update(const BatchSource& source) {
  const auto begin = std::chrono::steady_clock::now();
  TrainingUpdate done;
  done.stage = position_.stage;
  done.goal = stage().goal;
  done.steps = stage().schedule.steps;
  done.learning_rate = learning_rate(stage().schedule, position_.step);
  model_->parameters().clear_gradients(context_);
  for (const Batch& batch : source.update(position_.step))
    done.loss += objective_->accumulate(context_, *model_, batch);
  Objective::Distances distances = objective_->take_distances();
  done.distances = std::move(distances.absolute);
  done.relative = std::move(distances.relative);
  done.gradient_norm = optimizer_->update(context_, done.learning_rate);
  pack_products();
  done.step = position_.step + 1;
  done.tokens = position_.tokens + source.tokens_per_update();
  if (!std::isfinite(done.loss) || !std::isfinite(done.gradient_norm))
    return Error{
        ErrorCode::OutOfRange,
        fmt::format("stage {}, update {}: the loss is {} and the gradient's norm {}; a lower peak learning "
                    "rate or clipping may help",
                    done.stage, done.step, done.loss, done.gradient_norm)};
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  done.tokens_per_s = static_cast<double>(source.tokens_per_update()) / seconds.count();
  return done;
}

/// Tells where the run stands, and how the student looks before its first update.
Status Run::announce(bool resumed) {
  TANDEM_RETURN_IF_ERROR(
      observer_.on_begin({resumed, position_.stage, position_.step, position_.tokens, teacher_}));
  const std::string where = fmt::format("stage {}, update {}", position_.stage + 1, position_.step);
  TANDEM_RETURN_IF_ERROR(
      tell(resumed ? EventKind::Resumed : EventKind::Started, resumed ? "Resumed from " + where : "Started"));
  if (teacher_ == nullptr) return {};
  const std::string text = generate_example(recipe_.corpus, kProbeExample).text();
  std::vector<std::int32_t> ids = tokenizer_->encode(text);
  ids.resize(std::min(ids.size(), static_cast<std::size_t>(kProbeTokens)));
  TANDEM_TRY(probe_, Probe::make(context_, *teacher_, ids));
  if (resumed) return {};
  TANDEM_RETURN_IF_ERROR(observer_.on_snapshot({true, 0, 0, probe_->teacher()}));
  return snapshot();
}

Status Run::snapshot() {
  if (!probe_) return {};
  return observer_.on_snapshot({false, position_.stage, position_.step, probe_->student(context_, *model_)});
}

Status Run::finish_update(const TrainingUpdate& done, std::ofstream& log) {
  const std::string line = log_line(done);
  if (!(log << line << std::flush))
    return Error{ErrorCode::Io, fmt::format("{}: cannot write", (folder_ / kLogName).string())};
  position_.tokens = done.tokens;
  position_.step = done.step;
  TANDEM_RETURN_IF_ERROR(observer_.on_update(done));
  return is_snapshot_step(done.step, done.steps) ? snapshot() : Status();
}

Status Run::finish_stage() {
  ++position_.stage;
  position_.step = 0;
  enter_stage();
  place_all();
  TANDEM_RETURN_IF_ERROR(save());
  if (finished()) return {};
  return tell(EventKind::Stage,
              fmt::format("Stage {} begins: {}", position_.stage + 1, goal_name(stage().goal)));
}

Result<TrainingResult> Run::work(std::stop_token stop) {
  TrainingResult result;
  std::ofstream log(folder_ / kLogName, std::ios::app | std::ios::binary);
  while (!finished()) {
    const BatchSource source = source_of(stage());
    while (position_.step < stage().schedule.steps) {
      TANDEM_TRY(const TrainingUpdate done, update(source));
      TANDEM_RETURN_IF_ERROR(finish_update(done, log));
      result.final_loss = done.loss;
      const bool last = position_.step == stage().schedule.steps;
      const bool due = !last && position_.step % recipe_.checkpoint_every == 0;
      if (stop.stop_requested() || due) {
        TANDEM_RETURN_IF_ERROR(save());
        TANDEM_RETURN_IF_ERROR(tell(EventKind::Checkpoint, "Checkpoint saved"));
      }
      if (stop.stop_requested()) {
        TANDEM_RETURN_IF_ERROR(tell(EventKind::Stopped, "Stopped, ready to be resumed"));
        result.tokens = position_.tokens;
        return result;
      }
    }
    TANDEM_RETURN_IF_ERROR(finish_stage());
  }
  TANDEM_RETURN_IF_ERROR(tell(EventKind::Finished, "Finished"));
  result.finished = true;
  result.tokens = position_.tokens;
  return result;
}

}  // namespace

const char* event_kind_name(EventKind kind) {
  constexpr std::array kNames = {"started", "resumed",  "stage", "checkpoint",
                                 "stopped", "finished", "failed"};
  return kNames[static_cast<std::size_t>(kind)];
}

Result<TrainingResult> run_training(const Recipe& recipe, const TrainingOptions& options,
                                    TrainingObserver& observer, std::stop_token stop) {
  Run run(recipe, options, observer);
  TANDEM_RETURN_IF_ERROR(run.begin(options.resume, stop));
  if (!run.ready()) return TrainingResult();
  TANDEM_RETURN_IF_ERROR(run.announce(options.resume));
  Result<TrainingResult> result = run.work(std::move(stop));
  // The run's own error is the one to report, also when this cannot be told any more.
  if (!result) (void)run.tell(EventKind::Failed, result.error().message);
  return result;
}

}  // namespace tandem::training
