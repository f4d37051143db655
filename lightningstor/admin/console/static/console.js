// What every page needs: asking before something is lost, ticking all, sharing and copying a link, telling what happened.
"use strict";

const csrf = document.querySelector('meta[name="csrf-token"]')?.content ?? "";

/** Says something in the corner; bad news stays twice as long. */
function notice(text, bad = false) {
  const line = document.createElement("p");
  line.textContent = text;
  line.classList.toggle("bad", bad);
  document.getElementById("notices").append(line);
  setTimeout(() => line.remove(), bad ? 12000 : 6000);
}

/** POSTs to the console; gives the answer's JSON, or throws an Error with what the console said. */
async function ask(url, body) {
  const isForm = body instanceof FormData;
  const answer = await fetch(url, {
    method: "POST",
    headers: { accept: "application/json", "x-csrf-token": csrf, ...(isForm ? {} : { "content-type": "application/json" }) },
    body: isForm ? new URLSearchParams(body) : JSON.stringify(body),
  });
  if (answer.status === 401) {
    location.reload();
  }
  const told = await answer.text();
  let content = {};
  try {
    content = JSON.parse(told);
  } catch {
    content = { error: { message: told } };
  }
  if (!answer.ok) {
    throw new Error(content.error?.message ?? `the server answered ${answer.status}`);
  }
  return content;
}

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (form.dataset.confirm && !confirm(form.dataset.confirm)) {
    event.preventDefault();
    return;
  }
  if ("share" in form.dataset) {
    event.preventDefault();
    try {
      const { url } = await ask(form.action, new FormData(form));
      const line = form.querySelector(".link");
      line.hidden = false;
      line.querySelector("input").value = url;
      line.querySelector("input").select();
    } catch (error) {
      notice(error.message, true);
    }
  }
});

document.addEventListener("click", async (event) => {
  const copies = event.target.dataset?.copy;
  if (copies) {
    const field = document.getElementById(copies);
    field.select();
    try {
      await navigator.clipboard.writeText(field.value);
      notice("Copied.");
    } catch {
      notice("The browser does not let us copy: press Ctrl-C.", true);
    }
  }
});

document.addEventListener("change", (event) => {
  if ("tickAll" in (event.target.dataset ?? {})) {
    for (const box of event.target.closest("form").querySelectorAll('input[name="object"]')) {
      box.checked = event.target.checked;
    }
  }
});
