#include "process/link.h"

#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "platform/processes.h"

namespace rxp {
namespace {

constexpr uint32_t kWake = 0;  // instead of a block's number
// Descriptors that came and were not asked for yet; more are closed, since a process has only so
// many.
constexpr size_t kMostUnclaimed = 1024;

}  // namespace

std::unique_ptr<Link> Link::create(std::string& error) {
  std::unique_ptr<Link> link(new Link);
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
    error = std::string("no sockets for a worker process: ") + std::strerror(errno);
    return nullptr;
  }
  link->socket_ = pair[0];
  link->other_socket_ = pair[1];
  int memory = platform::create_memory_file(kSharedSize);
  if (memory < 0 || !link->map(memory)) {
    error = std::string("no memory to share with a worker process: ") + std::strerror(errno);
    return nullptr;
  }
  char* bytes = reinterpret_cast<char*>(link->state_ + 1);
  link->out = RingWriter(&link->state_->requests, bytes);
  link->in = RingReader(&link->state_->responses, bytes + kRingSize);
  return link;
}

std::unique_ptr<Link> Link::adopt(int memory, int socket) {
  std::unique_ptr<Link> link(new Link);
  if (!platform::is_sealed(memory, kSharedSize) || !link->map(memory)) return nullptr;
  link->socket_ = socket;
  char* bytes = reinterpret_cast<char*>(link->state_ + 1);
  link->in = RingReader(&link->state_->requests, bytes);
  link->out = RingWriter(&link->state_->responses, bytes + kRingSize);
  return link;
}

bool Link::map(int memory) {
  memory_ = memory;
  void* data = mmap(nullptr, kSharedSize, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
  if (data == MAP_FAILED) return false;
  state_ = static_cast<SharedState*>(data);
  return true;
}

Link::~Link() {
  if (state_ != nullptr) munmap(state_, kSharedSize);
  for (auto& entry : descriptors_) close(entry.second);
  for (int descriptor : {memory_, socket_, other_socket_}) {
    if (descriptor >= 0) close(descriptor);
  }
}

void Link::close_other_socket() {
  close(other_socket_);
  other_socket_ = -1;
}

void Link::wake() {
  if (!out.reader_waits()) return;
  uint32_t word = kWake;
  // A socket that is full wakes its reader anyway.
  (void)!send(socket_, &word, sizeof word, MSG_DONTWAIT | MSG_NOSIGNAL);
}

Link::Woken Link::wait(int milliseconds, int other, int another) {
  if (!in.begin_wait()) return Woken::kSocket;
  pollfd places[3] = {{socket_, POLLIN, 0}, {other, POLLIN, 0}, {another, POLLIN, 0}};
  int ready = poll(places, 3, milliseconds);
  in.end_wait();
  if (ready <= 0) return Woken::kTimeout;
  if ((places[0].revents & POLLIN) != 0) receive();
  if ((places[0].revents & (POLLHUP | POLLERR | POLLNVAL)) != 0) gone_ = true;
  if (gone_) return Woken::kGone;
  if (places[2].revents != 0) return Woken::kAnother;
  return places[1].revents != 0 ? Woken::kOther : Woken::kSocket;
}

bool Link::end_wait() {
  in.end_wait();
  receive();
  return !gone_;
}

bool Link::other_side_gone() {
  pollfd place = {socket_, 0, 0};
  if (poll(&place, 1, 0) > 0) gone_ = true;
  return gone_;
}

// Takes everything that lies in the socket: wake-ups, which have had their effect, and descriptors.
void Link::receive() {
  for (;;) {
    uint32_t block = kWake;
    iovec part = {&block, sizeof block};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * 4)];
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    ssize_t size = recvmsg(socket_, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (size < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN && errno != EWOULDBLOCK) gone_ = true;
      return;
    }
    if (size == 0) {
      gone_ = true;
      return;
    }
    for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
         header = CMSG_NXTHDR(&message, header)) {
      if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
      size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
      for (size_t i = 0; i < count; i++) {
        int descriptor = -1;
        std::memcpy(&descriptor, CMSG_DATA(header) + i * sizeof(int), sizeof(int));
        bool wanted = i == 0 && size == sizeof block && block != kWake &&
                      descriptors_.size() < kMostUnclaimed &&
                      descriptors_.emplace(block, descriptor).second;
        if (!wanted) close(descriptor);
      }
    }
  }
}

bool Link::send_descriptor(uint32_t block, int descriptor, bool patient) {
  iovec part = {&block, sizeof block};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(header), &descriptor, sizeof(int));
  for (;;) {
    if (sendmsg(socket_, &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) return true;
    if (errno == EINTR) continue;
    if (!patient || (errno != EAGAIN && errno != ETOOMANYREFS)) return false;
    pollfd place = {socket_, POLLOUT, 0};
    if (poll(&place, 1, 100) > 0 && (place.revents & (POLLHUP | POLLERR)) != 0) return false;
  }
}

int Link::take_descriptor(uint32_t block) {
  auto found = descriptors_.find(block);
  if (found == descriptors_.end()) {
    receive();
    found = descriptors_.find(block);
    if (found == descriptors_.end()) return -1;
  }
  int descriptor = found->second;
  descriptors_.erase(found);
  return descriptor;
}

}  // namespace rxp
