// Server-sent events (WHATWG HTML, section 9.2) out of a stream of bytes; yields the data of each event.

const kMaxEvent = 16 * 1024 * 1024;  // characters; a server that sends more without an end is broken

export async function* eventData(stream) {
  const reader = stream.getReader();
  const decoder = new TextDecoder();
  let rest = '';
  let data = [];
  try {
    for (;;) {
      const {value, done} = await reader.read();
      rest += done ? decoder.decode() : decoder.decode(value, {stream: true});
      const lines = rest.split(/\r\n|\n|\r(?!$)/);
      rest = lines.pop();
      if (done && rest !== '') lines.push(rest, '');
      if (rest.length > kMaxEvent) throw new Error('The server sent an event without an end.');
      for (const line of lines) {
        if (line.startsWith('data:')) {
          data.push(line.slice(line[5] === ' ' ? 6 : 5));
        } else if (line === '' && data.length > 0) {
          yield data.join('\n');
          data = [];
        }
      }
      if (done) return;
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}
