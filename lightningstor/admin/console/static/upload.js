// Uploads: files dropped or chosen go straight to the store by presigned links. A file of more than one part is sent in
// parts, several at once; which have arrived is asked of the server, so an upload that was cut off goes on where it was.
"use strict";

const PARTS_AT_ONCE = 3;
const TRIES = 5;
const LINKS_AT_ONCE = 20;

const drop = document.getElementById("drop");
const list = document.getElementById("uploads");
let waiting = Promise.resolve();

/** PUTs a blob; `onProgress` hears how many bytes have left. */
function put(url, blob, type, onProgress, signal) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("PUT", url);
    if (type) {
      request.setRequestHeader("content-type", type);
    }
    request.upload.onprogress = (event) => onProgress(event.loaded);
    request.onload = () => {
      if (request.status >= 200 && request.status < 300) {
        resolve();
      } else {
        const message = request.responseXML?.querySelector("Message")?.textContent;
        const error = new Error(message ?? `the store answered ${request.status}`);
        error.final = request.status < 500 && request.status !== 408 && request.status !== 429;
        reject(error);
      }
    };
    request.onerror = () => reject(new Error("the connection was lost"));
    request.onabort = () => reject(new DOMException("cancelled", "AbortError"));
    signal.addEventListener("abort", () => request.abort(), { once: true });
    request.send(blob);
  });
}

/** Tries again after a pause that grows, unless the answer will not change. */
async function again(work, signal) {
  for (let tried = 1; ; tried += 1) {
    try {
      return await work();
    } catch (error) {
      if (signal.aborted || error.final || tried === TRIES) {
        throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, 500 * 2 ** tried));
    }
  }
}

class Upload {
  constructor(file, key) {
    this.file = file;
    this.key = key;
    this.stop = new AbortController();
    this.sent = new Map();
    this.memory = `upload ${drop.dataset.bucket} ${key} ${file.size} ${file.lastModified}`;
    this.line = document.createElement("li");
    const name = document.createElement("span");
    name.textContent = file.name;
    this.state = document.createElement("span");
    this.state.className = "hint";
    this.state.textContent = "waiting";
    this.cancel = document.createElement("button");
    this.cancel.type = "button";
    this.cancel.textContent = "Cancel";
    this.cancel.onclick = () => this.stop.abort();
    this.bar = document.createElement("progress");
    this.bar.max = Math.max(file.size, 1);
    this.bar.value = 0;
    this.bar.setAttribute("aria-label", `Progress of ${file.name}`);
    this.line.append(name, this.state, this.cancel, this.bar);
    list.append(this.line);
  }

  progress(part, bytes) {
    this.sent.set(part, bytes);
    const total = [...this.sent.values()].reduce((sum, count) => sum + count, 0);
    this.bar.value = Math.min(total, this.file.size);
    this.state.textContent = `${Math.floor((100 * total) / Math.max(this.file.size, 1))} %`;
  }

  async run() {
    try {
      this.stop.signal.throwIfAborted();
      const begun = await this.begin();
      if (begun.url) {
        await again(() => put(begun.url, this.file, this.file.type, (bytes) => this.progress(1, bytes), this.stop.signal), this.stop.signal);
      } else {
        await this.sendParts(begun);
      }
      localStorage.removeItem(this.memory);
      this.bar.value = this.bar.max;
      this.finish("done");
      return true;
    } catch (error) {
      await this.failed(error);
      return false;
    }
  }

  /** A new upload, or the one that was cut off. */
  async begin() {
    const kept = JSON.parse(localStorage.getItem(this.memory) ?? "null");
    if (kept) {
      try {
        const { parts } = await ask(this.at(kept, "parts"), { key: this.key });
        return { ...kept, arrived: parts };
      } catch {
        localStorage.removeItem(this.memory);
      }
    }
    const begun = await ask(drop.dataset.begin, { key: this.key, size: this.file.size, type: this.file.type });
    if (begun.upload) {
      localStorage.setItem(this.memory, JSON.stringify(begun));
    }
    this.begun = begun;
    return begun;
  }

  at(begun, what) {
    return `${drop.dataset.begin}/${begun.upload}/${what}`;
  }

  async sendParts(begun) {
    this.begun = begun;
    const size = begun.part_bytes;
    const count = Math.ceil(this.file.size / size);
    const length = (number) => Math.min(size, this.file.size - (number - 1) * size);
    for (const part of begun.arrived ?? []) {
      if (part.size === length(part.number)) {
        this.progress(part.number, part.size);
      }
    }
    const missing = [];
    for (let number = 1; number <= count; number += 1) {
      if (!this.sent.has(number)) {
        missing.push(number);
      }
    }
    while (missing.length > 0) {
      const numbers = missing.splice(0, LINKS_AT_ONCE);
      const { urls } = await again(() => ask(this.at(begun, "links"), { key: this.key, parts: numbers }), this.stop.signal);
      const work = numbers.map((number, index) => [number, urls[index]]);
      const lane = async () => {
        for (let next = work.shift(); next !== undefined; next = work.shift()) {
          const [number, url] = next;
          this.stop.signal.throwIfAborted();
          const blob = this.file.slice((number - 1) * size, (number - 1) * size + length(number));
          await again(() => put(url, blob, "", (bytes) => this.progress(number, bytes), this.stop.signal), this.stop.signal);
          this.progress(number, length(number));
        }
      };
      await Promise.all(Array.from({ length: PARTS_AT_ONCE }, lane));
    }
    this.state.textContent = "finishing";
    await again(() => ask(this.at(begun, "complete"), { key: this.key, size: this.file.size }), this.stop.signal);
  }

  async failed(error) {
    if (!this.stop.signal.aborted) {
      this.finish(`failed: ${error.message}`);
      this.state.classList.add("bad");
      const retry = document.createElement("button");
      retry.type = "button";
      retry.textContent = "Try again";
      retry.onclick = () => {
        this.line.remove();
        enqueue([[this.file, this.key]]);
      };
      this.line.insertBefore(retry, this.bar);
      return;
    }
    localStorage.removeItem(this.memory);
    if (this.begun?.upload) {
      await ask(this.at(this.begun, "abort"), { key: this.key }).catch(() => {});
    }
    this.finish("cancelled");
  }

  finish(words) {
    this.state.textContent = words;
    this.cancel.remove();
  }
}

/** Files one after another, each in several parts at once; the listing is loaded anew when all of them are there. */
function enqueue(files) {
  const uploads = files.map(([file, key]) => new Upload(file, key));
  waiting = waiting.then(async () => {
    let all = true;
    for (const upload of uploads) {
      all = (await upload.run()) && all;
    }
    if (all && uploads.length > 0) {
      notice(uploads.length === 1 ? `${uploads[0].file.name} is stored.` : `${uploads.length} files are stored.`);
      setTimeout(() => location.reload(), 700);
    }
  });
}

/** The files of a dropped entry, folders walked through, with their paths. */
async function filesOf(entry, above) {
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    return [[file, above + file.name]];
  }
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    const entries = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (entries.length === 0) {
      return found;
    }
    for (const inner of entries) {
      found.push(...(await filesOf(inner, `${above}${entry.name}/`)));
    }
  }
}

drop.addEventListener("dragover", (event) => {
  event.preventDefault();
  drop.classList.add("over");
});
drop.addEventListener("dragleave", () => drop.classList.remove("over"));
drop.addEventListener("drop", async (event) => {
  event.preventDefault();
  drop.classList.remove("over");
  const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  const plain = [...event.dataTransfer.files].map((file) => [file, drop.dataset.prefix + file.name]);
  try {
    const nested = await Promise.all(entries.map((entry) => filesOf(entry, drop.dataset.prefix)));
    enqueue(entries.length > 0 ? nested.flat() : plain);
  } catch (error) {
    notice(`The files cannot be read: ${error.message}`, true);
  }
});
document.getElementById("files").addEventListener("change", (event) => {
  enqueue([...event.target.files].map((file) => [file, drop.dataset.prefix + file.name]));
  event.target.value = "";
});
addEventListener("beforeunload", (event) => {
  if (list.querySelector("li button")) {
    event.preventDefault();
  }
});
