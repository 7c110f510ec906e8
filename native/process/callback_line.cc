#include "process/callback_line.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

#include "platform/platform.h"
#include "process/text_copy.h"

namespace rxp {
namespace {

struct AnswerHeader {
  int32_t number;
  uint16_t ok;
  uint16_t narrow;
  uint64_t units;
};

constexpr size_t kKeep = 1 << 20;  // bytes of memory that stay for further answers

bool read_all(int socket, char* to, size_t size) {
  while (size > 0) {
    ssize_t got = recv(socket, to, size, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    to += got;
    size -= static_cast<size_t>(got);
  }
  return true;
}

}  // namespace

bool AnswerWriter::open(int* other) {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) return false;
  socket_ = pair[0];
  *other = pair[1];
  return true;
}

AnswerWriter::~AnswerWriter() {
  if (socket_ >= 0) close(socket_);
}

bool AnswerWriter::send(int32_t number, bool ok, TextView text) {
  const bool narrow = fits_narrow(text);
  const size_t size = text.size * (narrow ? 1 : 2);
  AnswerHeader header{number, static_cast<uint16_t>(ok ? 1 : 0),
                      static_cast<uint16_t>(narrow ? 1 : 0), text.size};
  std::lock_guard<std::mutex> lock(mutex_);
  size_t at = unsent_.size();
  unsent_.resize(at + sizeof header + size);
  std::memcpy(&unsent_[at], &header, sizeof header);
  copy_text(text, narrow, &unsent_[at + sizeof header]);
  return flush_locked();
}

bool AnswerWriter::flush() {
  std::lock_guard<std::mutex> lock(mutex_);
  return flush_locked();
}

bool AnswerWriter::flush_locked() {
  while (sent_ < unsent_.size()) {
    ssize_t done = ::send(socket_, unsent_.data() + sent_, unsent_.size() - sent_,
                          MSG_DONTWAIT | MSG_NOSIGNAL);
    if (done < 0 && errno == EINTR) continue;
    if (done < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return false;
    if (done < 0) break;  // the worker has gone
    sent_ += static_cast<size_t>(done);
  }
  unsent_.clear();
  if (unsent_.capacity() > kKeep) unsent_.shrink_to_fit();
  sent_ = 0;
  return true;
}

void read_answers(int socket, std::function<void(int32_t, bool, TextView)> take) {
  auto body = [socket, take = std::move(take)] {
    AnswerHeader header;
    std::u16string text;  // aligned for either width
    while (read_all(socket, reinterpret_cast<char*>(&header), sizeof header)) {
      size_t size = header.units * (header.narrow != 0 ? 1 : 2);
      text.resize((size + 1) / 2);
      if (!read_all(socket, reinterpret_cast<char*>(&text[0]), size)) break;
      take(header.number, header.ok != 0, {text.data(), header.units, header.narrow != 0});
      if (text.capacity() * 2 > kKeep) {
        text.clear();
        text.shrink_to_fit();
      }
    }
    close(socket);
    take(0, false, {});
  };
  platform::start_thread(std::move(body), "python-answers");
}

}  // namespace rxp
