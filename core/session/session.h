// A session: one SQLite file (.tandem, WAL) that holds everything a window or a command shows, written as
// results arrive. Thread-safe: every method may be called from any thread. Writes gather in one transaction
// that the session commits by itself less than a second after the first of them, so a killed process loses at
// most one second.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/generation/generate.h"
#include "core/mixing/capture.h"
#include "core/problems/problems.h"
#include "core/training/observer.h"

namespace tandem {

inline constexpr int kSessionSchemaVersion = 2;

struct SessionModel {
  std::int64_t id = 0;
  std::string name;
  std::string sha256;
  std::string path;
  std::string family;
  std::string config_json;
  std::string info_json;  // parameters, layers, cache and state bytes: what ModelInfo says
};

/// ModelInfo as stored in info_json and printed by `tandem-cli info --json`; config_json and path are apart.
std::string to_json(const ModelInfo& info);
/// What a stored model's ModelInfo said. Errors: BadFormat, naming the field.
Result<ModelInfo> model_info(const SessionModel& model);

struct SessionProblem {
  std::int64_t id = 0;  // row id
  std::string set;      // problem set's name
  Problem problem;
  AnswerKind kind = AnswerKind::Gsm8k;
};

/// Settings shared by all problems of one model's run. Two runs with equal settings may be resumed or merged.
struct RunSettings {
  SamplingOptions sampling;
  int completions = 64;
  int batch = 0;
  int max_new_tokens = 512;
  std::optional<double> time_budget_s;
  std::uint64_t seed = 0;
  std::string mode = "take turns";  // or "together": shared device, not a measurement
  std::string weights = "f32";      // packed weight type
  int threads = 0;
  std::string prompt = "model";             // one of prompt_names()
  std::string prompt_date = kTemplateDate;  // for chat templates that name one
  bool operator==(const RunSettings&) const = default;
};

struct SessionRun {
  std::int64_t id = 0;
  std::int64_t model_id = 0;
  RunSettings settings;
  std::string device;       // "AMD EPYC, 2 threads"
  std::string version;      // Tandem's
  std::string grader;       // kGraderVersion
  std::string started_utc;  // ISO 8601
  bool finished = false;
};

struct SessionCompletion {
  std::int64_t run_id = 0;
  std::int64_t problem_id = 0;  // SessionProblem::id
  Completion completion;
  std::optional<std::string> answer;
  bool correct = false;
  std::optional<bool> override_correct;  // a person's verdict, beside the grader's
  std::string override_note;
  std::optional<double> score;  // verifier, in [0, 1]
};

/// The grader's verdict on a completion. What was cut by the budget or by the user is not graded: no answer.
struct Verdict {
  std::optional<std::string> answer;
  bool correct = false;
};
Verdict judge(const SessionProblem& problem, const Completion& completion);

/// Prefill and end of one problem in one run.
struct ProblemTiming {
  std::int64_t run_id = 0;
  std::int64_t problem_id = 0;
  std::int64_t prompt_tokens = 0;
  double prefill_s = 0;
  double decode_s = 0;
  std::int64_t cache_bytes = 0;
  bool complete = false;  // all completions of this problem are in the file
};

/// Thinned steps: the mean of those since the sample before (step_s, mean_context), all at one occupancy;
/// time_s is the end of the last of them.
struct ThroughputSample {
  std::int64_t run_id = 0;
  std::int64_t problem_id = 0;
  StepSample step;
};

struct StoredMatrix {
  std::int64_t model_id = 0;
  std::vector<std::int32_t> ids;
  std::int64_t layer = 0;
  std::int64_t head = 0;
  std::string what;  // "matrix", "decay", "content"
  std::string kind;  // mixer_kind_name
  Tensor values;     // [T, T] f32 as read (stored as f16)
};

struct HumanVote {
  std::int64_t problem_id = 0;
  std::string preference;  // "teacher", "student", "tie", "both bad"
  bool blind = false;
  std::string note;
};

/// A training run. Its updates, events and snapshots are apart.
struct SessionTraining {
  std::int64_t id = 0;
  std::string name;               // for people: its folder's
  std::string recipe;             // JSON
  std::string folder;             // where its checkpoints are
  std::string teacher;            // name, or empty when training from scratch
  std::string device;             // as SessionRun's
  std::string version;            // Tandem's
  std::string started_utc;        // ISO 8601
  std::string state = "running";  // "running", "stopped", "finished", "failed"
};

struct SessionTrainingEvent {
  std::string time_utc;
  training::TrainingEvent event;
};

/// Which matrices a training run kept; training_matrices() reads them.
struct SessionSnapshot {
  std::int64_t id = 0;
  bool of_teacher = false;
  std::int64_t stage = 0;
  std::int64_t step = 0;
};

class Session {
 public:
  /// Creates a file. Errors: InvalidArgument (it exists already), Io.
  static Result<std::shared_ptr<Session>> create(const std::string& path);
  /// A session that lives in memory and is gone with the object; path() is ":memory:".
  static Result<std::shared_ptr<Session>> in_memory();
  /// Opens a file, adding the tables that an older version's lacks. `read_only` never writes: a file without
  /// a journal (nobody is writing it) is read alone, one with a journal through it. Errors: NotFound,
  /// BadFormat (not a session, damaged), Unsupported (newer schema: only read_only works), Io.
  static Result<std::shared_ptr<Session>> open(const std::string& path, bool read_only = false);
  /// Commits what is pending.
  ~Session();

  const std::string& path() const;
  bool read_only() const;

  // Writers. Errors: InvalidArgument (the session is read-only; an id that is not in it), Io (disk full,
  // permission), with the file's name. After an Io error nothing more is accepted: what was not committed is
  // lost, and rows that rest on it would be wrong. Open the file again to go on.

  /// Returns the existing row for the same sha256 and name.
  Result<std::int64_t> add_model(const ModelInfo& info);
  /// Returns the existing row for the same set and index. Errors: Mismatch when that one reads otherwise.
  Result<std::int64_t> add_problem(const ProblemSet& set, const Problem& problem);
  Result<std::int64_t> add_run(std::int64_t model_id, const RunSettings& settings, const std::string& device);
  /// A run goes on elsewhere: it then names both devices.
  Status add_device(std::int64_t run_id, const std::string& device);
  Status finish_run(std::int64_t run_id);
  Status add_completion(const SessionCompletion& completion);  // replaces the same (run, problem, index)
  Status add_timing(const ProblemTiming& timing);              // replaces the same (run, problem)
  Status add_samples(std::span<const ThroughputSample> samples);
  /// Forgets a problem's completions, samples and timing in one run, before it is run again.
  Status clear_problem(std::int64_t run_id, std::int64_t problem_id);
  /// Stores the stacks of every layer as float16; beyond +-65504 they become infinite.
  Status add_matrices(std::int64_t model_id, const Capture& capture);
  Status add_vote(const HumanVote& vote);
  /// Errors: NotFound when there is no such completion.
  Status set_override(std::int64_t run_id, std::int64_t problem_id, int index, std::optional<bool> correct,
                      const std::string& note);
  /// A verifier's score in [0, 1]. Errors: NotFound when there is no such completion.
  Status set_score(std::int64_t run_id, std::int64_t problem_id, int index, double score);
  Status clear_scores();  // of all completions
  Status set_note(const std::string& key, const std::string& text);
  Status add_benchmark(const std::string& json);  // one `bench` result, as printed with --json
  Result<std::int64_t> add_training(const SessionTraining& training);  // its id is ignored
  Status set_training_state(std::int64_t training_id, const std::string& state);
  /// Replaces those of the same stage and step.
  Status add_training_updates(std::int64_t training_id, std::span<const training::TrainingUpdate> updates);
  Status add_training_event(std::int64_t training_id, const training::TrainingEvent& event);
  Status add_training_snapshot(std::int64_t training_id, const training::TrainingSnapshot& snapshot);
  /// Forgets updates and snapshots after a place: they are about to be done again.
  Status cut_training(std::int64_t training_id, std::int64_t stage, std::int64_t step);
  /// Commits what was added, now.
  Status flush();
  /// Writes the session as it is now to a new file; recording goes on in the old one. Errors: InvalidArgument
  /// (the file exists already), Io.
  Status copy_to(const std::string& path) const;

  // Readers: see committed and pending rows alike, in the order of ids or indices; timings, samples (of a
  // problem) and votes as added. Errors: BadFormat (damaged), Io.
  Result<std::vector<SessionModel>> models() const;
  Result<std::vector<SessionProblem>> problems() const;
  Result<std::vector<SessionRun>> runs() const;
  Result<std::vector<SessionCompletion>> completions(std::int64_t run_id,
                                                     std::optional<std::int64_t> problem_id = {}) const;
  Result<std::vector<ProblemTiming>> timings(std::int64_t run_id) const;
  Result<std::vector<ThroughputSample>> samples(std::int64_t run_id,
                                                std::optional<std::int64_t> problem_id = {}) const;
  Result<std::vector<StoredMatrix>> matrices(std::int64_t model_id) const;
  Result<std::vector<HumanVote>> votes() const;
  Result<std::map<std::string, std::string>> notes() const;
  Result<std::vector<std::string>> benchmarks() const;
  Result<std::vector<SessionTraining>> trainings() const;
  Result<std::vector<training::TrainingUpdate>> training_updates(std::int64_t training_id) const;
  Result<std::vector<SessionTrainingEvent>> training_events(std::int64_t training_id) const;
  /// The teacher's first.
  Result<std::vector<SessionSnapshot>> training_snapshots(std::int64_t training_id) const;
  /// `matrix` and `skip` of the layers kept. Errors: NotFound.
  Result<Capture> training_matrices(std::int64_t snapshot_id) const;

 private:
  class State;
  explicit Session(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// Integrity, foreign keys, schema, that problems marked complete are, and that every verdict can be computed
/// again. Returns sentences, one per finding; empty = sound. Errors: those of open().
Result<std::vector<std::string>> verify_session(const std::string& path);

/// Joins shards of one evaluation into a new file: runs of the same model and settings become one. Errors:
/// InvalidArgument (no input, the output exists), Mismatch (settings, problems or completions of the same
/// name differ), those of open(). On an error there is no output file.
Status merge_sessions(std::span<const std::string> inputs, const std::string& output);

}  // namespace tandem
