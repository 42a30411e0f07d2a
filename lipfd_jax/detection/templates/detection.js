// Plays moments and stretches if the video is in the page's folder; copies the text to quote.
(() => {
  const video = document.getElementById("video");
  const hint = document.getElementById("no-video");
  const timeline = document.getElementById("timeline");
  const slider = document.getElementById("moment");
  const shown = document.getElementById("shown-moment");
  const pieces = [...document.querySelectorAll(".stretches li")].map((card) => ({
    still: card.querySelector("img"), screen: card.querySelector("video"), button: card.querySelector(".play"),
  }));
  const seconds = Number(timeline.dataset.seconds);
  const offset = Number(timeline.dataset.offset);  // the first frame's time on the player's clock
  const clock = (s) => `${Math.floor(s / 60)}:${(s % 60).toFixed(1).padStart(4, "0")}`;

  function go(time, play) {
    slider.value = time;
    shown.value = clock(Number(time));
    if (!video.hidden) {
      video.currentTime = Number(time) + offset;
      if (play) { stop(); video.play(); }
    }
  }
  function allow() {
    if (!video.videoWidth) return;  // only the sound can be played
    video.hidden = false;
    hint.hidden = true;
    for (const piece of pieces) piece.button.hidden = false;
  }
  video.addEventListener("loadedmetadata", allow);
  video.addEventListener("timeupdate", () => {
    const time = Math.max(video.currentTime - offset, 0);
    slider.value = time;
    shown.value = clock(time);
  });
  if (video.readyState >= 1) allow();
  slider.addEventListener("input", () => go(slider.value, false));
  timeline.addEventListener("click", (event) => {
    if (event.target === slider) return;
    const box = timeline.getBoundingClientRect();
    go(Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1) * seconds, true);
  });
  for (const button of document.querySelectorAll("button[data-time]")) {
    button.addEventListener("click", () => { go(Number(button.dataset.time), true); timeline.scrollIntoView({ block: "center" }); });
  }

  // A stretch plays in its own place, from its start to its end; its still is back when it ends.
  function stop(but) {
    for (const piece of pieces) if (piece !== but && !piece.screen.hidden) finish(piece);
    if (but) video.pause();
  }
  function finish(piece) {
    piece.screen.pause();
    piece.screen.hidden = true;
    piece.button.textContent = "Play";
    if (piece.still) piece.still.hidden = false;
  }
  function watch(piece, end) {
    if (piece.screen.hidden) return;
    if (piece.screen.currentTime >= end || piece.screen.ended) finish(piece);
    else requestAnimationFrame(() => watch(piece, end));
  }
  for (const piece of pieces) {
    const [start, end] = piece.button.dataset.play.split(",").map(Number);
    piece.button.addEventListener("click", async () => {
      if (!piece.screen.hidden) { finish(piece); return; }
      stop(piece);
      piece.screen.hidden = false;
      if (piece.still) piece.still.hidden = true;
      piece.button.textContent = "Stop";
      piece.screen.currentTime = start;
      try {
        await piece.screen.play();
        watch(piece, end);
      } catch {
        finish(piece);
      }
    });
  }
  document.getElementById("copy").addEventListener("click", async () => {
    const quote = document.getElementById("quote");
    try {
      await navigator.clipboard.writeText(quote.textContent);
    } catch {
      const range = document.createRange();
      range.selectNodeContents(quote);
      getSelection().removeAllRanges();
      getSelection().addRange(range);
      document.execCommand("copy");
    }
    document.getElementById("copied").textContent = "Copied.";
  });
})();
