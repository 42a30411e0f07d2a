// Uploads the chosen videos one after the other, asks how far they are, and shows it. Text goes in as text only.
"use strict";
(() => {
  const KEPT = "lipfd-videos", ASK = 1000, FULL = 3000;
  const list = document.getElementById("videos"), template = document.getElementById("video");
  const drop = document.getElementById("drop"), files = document.getElementById("files");
  const said = document.getElementById("said"), none = document.getElementById("none");
  const waiting = [];
  let sending = false;

  const stored = () => {
    try { return JSON.parse(localStorage.getItem(KEPT)) || []; } catch { return []; }
  };
  const store = (change) => {
    try { localStorage.setItem(KEPT, JSON.stringify(change(stored()))); } catch { /* then not over a reload */ }
  };
  const say = (text) => { said.textContent = text; };
  const clock = (s) => `${Math.floor(s / 60)}:${String(Math.floor(s % 60)).padStart(2, "0")}`;
  const counted = () => { none.hidden = list.children.length > 0; };

  function added(name) {
    const entry = template.content.firstElementChild.cloneNode(true);
    const shown = {
      entry, name, id: null, state: "", request: null, gone: false,
      part: (kind) => entry.querySelector(`.${kind}`), bar: entry.querySelector("progress"),
    };
    shown.part("name").textContent = name;
    shown.part("remove").setAttribute("aria-label", `Remove ${name}`);
    shown.bar.setAttribute("aria-label", `Progress of ${name}`);
    shown.part("remove").addEventListener("click", () => removed(shown));
    list.prepend(entry);
    counted();
    return shown;
  }

  function told(shown, text, share) {
    shown.part("state").textContent = text;
    shown.bar.hidden = share === undefined;
    if (share === null) shown.bar.removeAttribute("value");
    else if (share !== undefined) shown.bar.value = share;
  }

  function failed(shown, reason) {
    shown.entry.classList.add("failed");
    told(shown, reason);
    say(`${shown.name}: ${reason}`);
  }

  function removed(shown) {
    shown.gone = true;
    if (shown.request) shown.request.abort();
    if (shown.id) {
      fetch(`api/videos/${shown.id}`, { method: "DELETE" }).catch(() => {});
      store((ids) => ids.filter((kept) => kept.id !== shown.id));
    }
    shown.entry.remove();
    counted();
    say(`${shown.name} removed.`);
    files.focus();
  }

  function taken(chosen) {
    for (const file of chosen) {
      const shown = added(file.name);
      if (file.size > Number(document.body.dataset.bytes)) {
        failed(shown, `This file is larger than the ${document.body.dataset.megabytes} MB taken here.`);
      } else {
        told(shown, "Waits to be sent.");
        waiting.push([shown, file]);
      }
    }
    if (!sending) next();
  }

  function next() {
    const [shown, file] = waiting.shift() || [];
    sending = Boolean(shown);
    if (!sending) return;
    if (shown.gone) next();
    else send(shown, file);
  }

  function send(shown, file) {
    const request = new XMLHttpRequest(); // fetch does not tell how much has gone out
    shown.request = request;
    request.open("POST", `api/videos?name=${encodeURIComponent(file.name)}`);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.upload.addEventListener("progress", (event) => {
      told(shown, "Is being sent.", event.lengthComputable ? event.loaded / event.total : null);
    });
    request.addEventListener("loadend", () => {
      shown.request = null;
      if (shown.gone) next();
      else answered(shown, file, request);
    });
    told(shown, "Is being sent.", 0);
    request.send(file);
  }

  function answered(shown, file, request) {
    let answer = {};
    try { answer = JSON.parse(request.responseText); } catch { /* none came */ }
    if (request.status === 503) {
      told(shown, "The queue is full; this video waits for a place.", null);
      setTimeout(() => (shown.gone ? next() : send(shown, file)), FULL);
      return;
    }
    if (request.status === 202) {
      shown.id = answer.id;
      store((ids) => [...ids, { id: answer.id, name: shown.name }]);
      follow(shown);
    } else {
      const reason = typeof answer.detail === "string" ? answer.detail : "";
      failed(shown, reason || "It could not be sent: the server does not answer, or the file can't be read.");
    }
    next();
  }

  async function follow(shown) {
    let answer, status = 0;
    try {
      const response = await fetch(`api/videos/${shown.id}`);
      status = response.status;
      answer = await response.json();
    } catch {
      if (!shown.gone) told(shown, "The server does not answer; trying again …", null);
    }
    if (shown.gone) return;
    if (status === 404) {
      store((ids) => ids.filter((kept) => kept.id !== shown.id));
      clear(shown);
      told(shown, "No longer kept.");
    } else if (status === 200 && show(shown, answer)) {
      setTimeout(() => follow(shown), 15 * ASK); // until it is no longer kept
    } else {
      setTimeout(() => follow(shown), ASK);
    }
  }

  function clear(shown) {
    shown.entry.className = "video";
    for (const kind of ["words", "report", "save", "data"]) shown.part(kind).hidden = true;
  }

  // Whether the video has come to an end.
  function show(shown, video) {
    const ended = video.state === "done" || video.state === "failed";
    if (ended && shown.state === video.state) return true;
    shown.state = video.state;
    if (video.state === "done") done(shown, video);
    else if (video.state === "failed") failed(shown, `It could not be judged: ${video.reason}.`);
    else told(shown, ...running(video));
    return ended;
  }

  function running(video) {
    if (video.state !== "running") {
      return [video.before ? `Waits; ${video.before} before it.` : "Waits; it is next."];
    }
    if (video.part === "looking") {
      const whole = video.of ? ` of ${clock(video.of)}` : "";
      return [`Looks for faces: ${clock(video.done)}${whole} seen.`, video.of ? Math.min(video.done / video.of, 1) : null];
    }
    if (video.part === "scoring") return [`Looks at moments of speech: ${video.done} moments so far.`, null];
    if (video.part === "writing") return ["Writes the report.", null];
    return ["Is being opened.", null];
  }

  function done(shown, video) {
    told(shown, video.verdict.title);
    shown.entry.classList.add("done", video.verdict.outcome);
    shown.part("meaning").textContent = video.verdict.meaning;
    shown.part("caveat").textContent = video.verdict.caveat;
    shown.part("words").hidden = false;
    const address = `api/videos/${encodeURIComponent(video.id)}`;
    shown.part("report").href = `${address}/report.html`;
    shown.part("save").href = `${address}/report.html?save=true`;
    shown.part("data").href = `${address}/result.json?save=true`;
    for (const kind of ["report", "save", "data"]) shown.part(kind).hidden = false;
    say(`${shown.name}: ${video.verdict.title}. ${video.verdict.caveat}`);
  }

  files.addEventListener("change", () => { taken([...files.files]); files.value = ""; });
  for (const kind of ["dragenter", "dragover"]) {
    addEventListener(kind, (event) => { event.preventDefault(); drop.classList.add("over"); });
  }
  addEventListener("dragleave", (event) => { if (!event.relatedTarget) drop.classList.remove("over"); });
  addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    taken([...event.dataTransfer.files]);
  });
  addEventListener("beforeunload", (event) => { if (sending) event.preventDefault(); });
  for (const { id, name } of stored()) {
    const shown = added(String(name));
    shown.id = String(id);
    follow(shown);
  }
})();
