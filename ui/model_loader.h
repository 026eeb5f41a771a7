// Loads the window's models on a worker thread, and says how far it is.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include <QObject>
#include <QString>
#include <QTimer>

#include "core/models/model.h"
#include "ui/theme.h"

namespace tandem::ui {

using ModelPointer = std::shared_ptr<const tandem::Model>;

/// 0: pure attention, a teacher; 1: a student.
std::size_t sideOf(const tandem::ModelInfo& info);

/// Which of two models may lend `model` its tokenizer; null when neither may.
ModelPointer lenderOf(const tandem::ModelInfo& model, const std::array<ModelPointer, 2>& models);

/// What LoadOptions takes for RunSettings::weights.
tandem::DType weightType(const std::string& weights);

struct ModelChoice {
  QString name;       // a bundled name, a folder or a file; empty: none
  QString tokenizer;  // a folder or file, for a model published without
};

struct LoadRequest {
  std::array<ModelChoice, 2> sides;
  ModelChoice anySide;                  // a model for the side it belongs to
  std::array<ModelPointer, 2> lenders;  // loaded already; lend their tokenizers to models that have none
  std::string weights = "f32";          // as RunSettings::weights
  std::string device = "cpu";           // as find_device() takes it
  bool elseCpu = false;  // all of them onto the CPU, when the device is not there or cannot hold them
};

struct LoadedModels {
  std::array<ModelPointer, 2> models;  // null = keep
  std::array<QString, 2> tokenizers;   // what ModelChoice said
  std::string weights;                 // what LoadRequest said
  tandem::Device* device = nullptr;    // where they are
  QString notThere;                    // why they are on the CPU instead of where they were wanted
  QString error;                       // the first
  QString withoutTokenizer;            // the error is that this model has none, and none was to be had
  Side tokenizerFor = Side::Student;   // its side
};

class LoadState;

/// Confined to the GUI thread.
class ModelLoader : public QObject {
  Q_OBJECT
 public:
  explicit ModelLoader(QObject* parent = nullptr);
  ~ModelLoader() override;
  /// `newest`: no other load was asked for meanwhile. When it was stopped, there are no models and no error.
  /// The models may be let go of on any thread: their memory is given back on a worker, for a device makes
  /// whoever does that wait for its work.
  using Done = std::function<void(bool newest, LoadedModels loaded)>;
  /// Gives up the load that is under way. `quiet`: without progress.
  void load(LoadRequest request, bool quiet, Done done);
  void stop();

 signals:
  /// "Loading name: 5.0 GB of 20 GB free" and percent of the bytes to read; empty at the end.
  void progress(const QString& what, int percent);

 private:
  void tell();

  std::shared_ptr<LoadState> m_state;  // of the newest load
  std::stop_source m_stop;
  quint64 m_generation = 0;
  QTimer m_clock;
};

}  // namespace tandem::ui
