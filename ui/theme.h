// Colours, fonts, icons and the light and dark themes. One place; every widget and plot asks it.
#pragma once

#include <QColor>
#include <QFont>
#include <QIcon>
#include <QObject>

namespace tandem::ui {

enum class Side { Teacher = 0, Student = 1 };
enum class ThemeMode { Auto, Light, Dark };

/// "Teacher" and "Student": a side is always named by word, glyph, dash and colour together.
QString sideName(Side side);
/// "●" and "▲".
QString sideGlyph(Side side);

struct Colors {
  bool dark = false;
  QColor background, surface, text, secondaryText, border, grid;
  QColor teacher, teacherWash, student, studentWash;
  QColor majority, reward, correct, wrong, warning, focus, hatch;
  const QColor& side(Side s) const { return s == Side::Teacher ? teacher : student; }
  const QColor& wash(Side s) const { return s == Side::Teacher ? teacherWash : studentWash; }
};

/// Confined to the GUI thread; needs a QApplication. The first call of instance() sets the Fusion style, the
/// fonts and the palette.
class Theme : public QObject {
  Q_OBJECT
 public:
  static Theme& instance();
  const Colors& colors() const { return m_colors; }
  ThemeMode mode() const { return m_mode; }
  void setMode(ThemeMode mode);  // sets the application's palette and emits changed()
  static Colors light();
  static Colors darkColors();
  static QFont body(int pointSize = 10, QFont::Weight weight = QFont::Normal);
  static QFont monospace(int pointSize = 10);  // tokens and numbers: tabular figures
  /// An icon of resources/icons in the text's colour (or `color`), by file name without suffix.
  static QIcon icon(const QString& name, const QColor& color = {});

  /// While it lives colors() answers the light theme: exports look the same whatever the window's theme.
  class LightScope {
   public:
    LightScope();
    ~LightScope();
    LightScope(const LightScope&) = delete;
    LightScope& operator=(const LightScope&) = delete;

   private:
    Colors m_saved;
  };

 signals:
  void changed();

 private:
  Theme();
  bool m_systemIsDark = false;
  ThemeMode m_mode = ThemeMode::Auto;
  Colors m_colors;
};

}  // namespace tandem::ui
