#include "ui/theme.h"

#include <QApplication>
#include <QFile>
#include <QFontDatabase>
#include <QPainter>
#include <QPalette>
#include <QStyle>
#include <QSvgRenderer>

namespace tandem::ui {
namespace {

QPalette paletteFor(const Colors& c) {
  QPalette p;
  p.setColor(QPalette::Window, c.background);
  // Fusion's outlines are darker than the window, too faint on a dark one: there fields stand out by their
  // fill.
  p.setColor(QPalette::Base, c.dark ? c.surface : c.background);
  p.setColor(QPalette::AlternateBase, c.dark ? c.background : c.surface);
  p.setColor(QPalette::Button, c.surface);
  p.setColor(QPalette::ToolTipBase, c.surface);
  for (auto role : {QPalette::WindowText, QPalette::Text, QPalette::ButtonText, QPalette::ToolTipText}) {
    p.setColor(role, c.text);
    p.setColor(QPalette::Disabled, role, c.border);
  }
  p.setColor(QPalette::PlaceholderText, c.secondaryText);
  p.setColor(QPalette::BrightText, c.wrong);
  p.setColor(QPalette::Link, c.focus);
  p.setColor(QPalette::LinkVisited, c.reward);
  p.setColor(QPalette::Highlight, c.focus);
  p.setColor(QPalette::HighlightedText, c.background);
  p.setColor(QPalette::Disabled, QPalette::Highlight, c.grid);
  p.setColor(QPalette::Light, c.dark ? c.grid : c.background);
  p.setColor(QPalette::Midlight, c.surface);
  p.setColor(QPalette::Mid, c.grid);
  p.setColor(QPalette::Dark, c.border);
  p.setColor(QPalette::Shadow, c.dark ? QColor(Qt::black) : c.border);
  return p;
}

bool isDark(const QPalette& palette) {
  return palette.color(QPalette::Window).lightness() < palette.color(QPalette::WindowText).lightness();
}

}  // namespace

QString sideName(Side side) {
  return side == Side::Teacher ? QObject::tr("Teacher") : QObject::tr("Student");
}

QString sideGlyph(Side side) {
  return side == Side::Teacher ? QStringLiteral("●") : QStringLiteral("▲");
}

Colors Theme::light() {
  return {.dark = false,
          .background = 0xFFFFFF,
          .surface = 0xF6F8FA,
          .text = 0x1B1F24,
          .secondaryText = 0x57606A,
          .border = 0x8C959F,
          .grid = 0xD0D7DE,
          .teacher = 0x0B5CAD,
          .teacherWash = 0xE7F0FA,
          .student = 0xB54708,
          .studentWash = 0xFBEDE3,
          .majority = 0x0A7A4B,
          .reward = 0x7A3E9D,
          .correct = 0x0A7A4B,
          .wrong = 0xB3261E,
          .warning = 0x8A5A00,
          .focus = 0x0969DA,
          .hatch = 0xC9CED4};
}

Colors Theme::darkColors() {
  return {.dark = true,
          .background = 0x14181D,
          .surface = 0x1C2229,
          .text = 0xE6EAF0,
          .secondaryText = 0x9AA6B2,
          .border = 0x6B7683,
          .grid = 0x2E3640,
          .teacher = 0x5AB0F2,
          .teacherWash = 0x17293A,
          .student = 0xF29A4A,
          .studentWash = 0x33241A,
          .majority = 0x4CC38A,
          .reward = 0xC79BE8,
          .correct = 0x4CC38A,
          .wrong = 0xFF7A70,
          .warning = 0xE3B341,
          .focus = 0x7CC4FF,
          .hatch = 0x3A424C};
}

Theme& Theme::instance() {
  static Theme theme;
  return theme;
}

Theme::Theme() : m_systemIsDark(isDark(QApplication::palette())) {
  QApplication::setStyle(QStringLiteral("Fusion"));
  QApplication::setFont(body());
  setMode(ThemeMode::Auto);
}

void Theme::setMode(ThemeMode mode) {
  m_mode = mode;
  const bool dark = mode == ThemeMode::Dark || (mode == ThemeMode::Auto && m_systemIsDark);
  m_colors = dark ? darkColors() : light();
  QApplication::setPalette(paletteFor(m_colors));
  emit changed();
}

QFont Theme::body(int pointSize, QFont::Weight weight) {
  static const bool available = QFontDatabase::hasFamily(QStringLiteral("Inter"));
  QFont font =
      available ? QFont(QStringLiteral("Inter")) : QFontDatabase::systemFont(QFontDatabase::GeneralFont);
  font.setPointSize(pointSize);
  font.setWeight(weight);
  return font;
}

QFont Theme::monospace(int pointSize) {
  static const bool available = QFontDatabase::hasFamily(QStringLiteral("JetBrains Mono"));
  QFont font = available ? QFont(QStringLiteral("JetBrains Mono"))
                         : QFontDatabase::systemFont(QFontDatabase::FixedFont);
  font.setPointSize(pointSize);
  font.setStyleStrategy(QFont::PreferNoShaping);  // ligatures would show <| and != as other than they are
  return font;
}

QIcon Theme::icon(const QString& name, const QColor& color) {
  QFile file(QStringLiteral(":/tandem/icons/%1.svg").arg(name));
  if (!file.open(QIODevice::ReadOnly)) return {};
  const QByteArray source = file.readAll();
  const Colors& c = instance().m_colors;
  QIcon icon;
  const auto add = [&](QIcon::Mode mode, const QColor& ink) {
    QSvgRenderer renderer(QByteArray(source).replace("currentColor", ink.name().toLatin1()));
    for (int size : {16, 24, 32, 48, 64}) {
      QPixmap pixmap(size, size);
      pixmap.fill(Qt::transparent);
      QPainter painter(&pixmap);
      renderer.render(&painter);
      icon.addPixmap(pixmap, mode);
    }
  };
  add(QIcon::Normal, color.isValid() ? color : c.text);
  add(QIcon::Disabled, c.border);
  return icon;
}

Theme::LightScope::LightScope() : m_saved(instance().m_colors) {
  instance().m_colors = light();
}

Theme::LightScope::~LightScope() {
  instance().m_colors = m_saved;
}

}  // namespace tandem::ui
