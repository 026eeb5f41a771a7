// What the workspace's two source files share.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <optional>
#include <utility>

#include <QTimer>

#include "ui/model_loader.h"
#include "ui/run_job.h"
#include "ui/session_files.h"
#include "ui/workspace.h"

namespace tandem::ui {

using ProblemKey = std::pair<std::string, std::int64_t>;  // set, Problem::index

struct Workspace::Private {
  explicit Private(Workspace* owner) : q(owner) {}

  void setProblems(tandem::ProblemSet next, std::vector<std::string> nextOrigins);
  int position(const ProblemKey& key) const;
  ProblemKey key(int at) const;
  using SessionChoice = std::function<tandem::Result<std::shared_ptr<tandem::Session>>(
      const std::vector<tandem::EvaluateRequest>&)>;
  void start(const std::vector<std::int64_t>& positions, SessionChoice choose,
             const std::string& verifier = {});
  ModelChoice choice(const QString& name, const QString& tokenizer = {}) const;
  void loadModels(LoadRequest request);
  void takeLoaded(LoadedModels loaded);
  void accept(const LoadedModels& loaded);
  bool inPlace(std::size_t side) const;
  bool allInPlace() const;
  void foundDevices(const tandem::DeviceList& list);
  void settleOn(tandem::Device* next, const QString& whyNotAnother, bool asked);
  void open(const QString& path, bool resume);
  void adopt(OpenedSession opened, bool resume);
  void findModelsOf(const std::vector<tandem::SessionModel>& recorded, bool resume);
  void resumeRun();
  std::vector<tandem::EvaluateRequest> requests(const std::vector<std::int64_t>& positions) const;
  void frame();
  void deliver(const RunJob::Segment& segment);
  void finish(const std::optional<tandem::Error>& error);
  void updateProvenance() const;

  Workspace* q;
  SelectionModel selection;
  std::array<ModelPointer, 2> models;
  std::array<std::string, 2> packed;            // types of their weights, as RunSettings::weights
  const tandem::DeviceList* devices = nullptr;  // once they are known
  tandem::Device* device = nullptr;             // of the models
  std::string target = "auto";                  // where the next load goes, as find_device() takes it
  std::string choosing;                         // while a load goes where the user chose: its id
  QString deviceNote;
  std::array<QString, 2> recordedNames;  // of the opened session's models
  std::array<std::string, 2> recordedHashes;
  QString recordedDevice;
  std::array<std::int64_t, 2> runIds{-1, -1};
  std::map<ProblemKey, std::int64_t> problemIds;
  tandem::ProblemSet problems;
  std::vector<std::string> origins;  // per problem, the name of the set it came from
  tandem::RunSettings settings;
  std::shared_ptr<tandem::Session> session;
  QString occupied;  // why no run starts
  bool replay = false;
  int loading = 0;
  RecentModels recent;
  ModelLoader loader;
  std::optional<LoadRequest> underWay;  // what was asked for, until it is loaded
  quint64 problemsGeneration = 0, sessionGeneration = 0;
  std::unique_ptr<RunJob> job;
  int planned = 0, done = 0;  // problems, counted once for each model
  QTimer frameClock;
};

}  // namespace tandem::ui
