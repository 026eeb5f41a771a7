// Loads the window's models on a worker thread, and says how far it is.
#pragma once

#include <array>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>

#include <QString>

#include "core/models/model.h"

namespace tandem::ui {

using ModelPointer = std::shared_ptr<const tandem::Model>;

/// 0: pure attention, a teacher; 1: a student.
std::size_t sideOf(const tandem::ModelInfo& info);

/// What a load is doing, told by its thread and read by the GUI's. Thread-safe.
class LoadState {
 public:
  struct Reading {
    QString what;     // "Loading name: 5.0 GB of 20 GB free"
    int percent = 0;  // of the bytes to read
  };
  Reading reading() const;
  void setWhat(const QString& what);
  void setPercent(int percent);

 private:
  mutable std::mutex m_mutex;
  Reading m_reading;
};

struct LoadedModels {
  std::array<ModelPointer, 2> models;  // null = keep
  QString error;
};

struct LoadRequest {
  std::array<QString, 2> names;  // by side; empty: none
  QString anySide;               // a model for the side it belongs to
  ModelPointer teacher;          // lends its tokenizer to models that have none
};

/// Opens what is asked for, one after the other. An empty error and no models when it was stopped.
LoadedModels loadModels(const LoadRequest& request, LoadState& state, std::stop_token stop);

}  // namespace tandem::ui
