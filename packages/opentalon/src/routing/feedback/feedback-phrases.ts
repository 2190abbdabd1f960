/** What people say about an answer in one language; `|` stands between phrases, `*` at the end of one takes any ending. */
export interface FeedbackPhrases {
  readonly language: string;
  /** A bare no. */
  readonly no: string;
  readonly yes: string;
  /** Says that the answer was wrong, where it stands alone in its part of the sentence. */
  readonly wrong: string;
  /** Says so also when more follows. */
  readonly fails: string;
  /** Asks for another answer, where it stands alone. */
  readonly again: string;
  /** Asks for it also when more follows. */
  readonly retry: string;
  /** Opens what was meant instead. */
  readonly meant: string;
  readonly thanks: string;
  /** Looks like one of the above and is none. */
  readonly innocent: string;
  /** Carries no content of its own. */
  readonly filler: string;
  /** Asks something; as little content as a filler, yet a part of a sentence that has it says nothing about the answer. */
  readonly ask: string;
  /** Opens a question that goes on from the answer. */
  readonly further: string;
}

export const feedbackPhrases: readonly FeedbackPhrases[] = [
  {
    language: "en",
    no: "no|nope|nah|noo|nooo|noooo|uh no|um no|wtf no",
    yes: "yes|yeah|yep|sure",
    wrong:
      "wrong|incorrect|false|not right|not correct|not true|not good|not good enough|no good|bad answer|bad|useless|terrible|nonsense|rubbish|garbage|wrong answer|wrong again|still wrong|still not right|fail|try harder|do better|not helpful|unhelpful|hallucination|hallucinated|misunderstood",
    fails:
      "thats wrong|that is wrong|its wrong|it is wrong|this is wrong|thats all wrong|thats incorrect|that is incorrect|this is incorrect|its incorrect|thats not right|that is not right|thats not correct|that is not correct|this is not correct|this isnt right|that isnt right|that isnt correct|thats not true|that is not true|thats false|youre wrong|you are wrong|you got it wrong|you got that wrong|you misunderstood|you didnt understand|you did not understand|not what i asked|not what i meant|not what i wanted|not what i asked for|thats not what i asked|thats not what i asked for|thats not what i meant|thats not what i wanted|thats not it|doesnt work|does not work|didnt work|did not work|doesnt compile|does not compile|wont compile|doesnt run|doesnt help|didnt help|not working|isnt working|still doesnt work|still fails|still broken|still wrong|still not working|you made a mistake|you made that up|you forgot|you ignored|you didnt answer|you did not answer|you missed|wrong answer|wrong file|wrong language|wrong one",
    again:
      "again|once more|one more time|another answer|another one|different answer|another version|repeat|redo|retry|redo it|redo this|regenerate|regenerate it|new answer|do over|reroll|another model|different model|better model|stronger model|try another model|try a different model|try a better model|try a stronger model|use another model|use a different model|use a better model|use a stronger model|ask another model|ask a different model|ask a better model|ask a stronger model",
    retry:
      "try again|try it again|try once more|try that again|do it again|please retry|have another go|give it another try|give me another answer|give me a different answer|answer again|check again|rethink|think again",
    meant:
      "i meant|i mean|i was asking|i was talking about|i asked for|i asked about|i asked you|i said|i wanted|i wrote|as i said|my question was|no its|no it is|no i want|not that one|what i meant",
    thanks:
      "thanks|thank you|thx|ty|cheers|great|perfect|awesome|nice|cool|excellent|amazing|good|love it|well done|ok|okay|got it|i see|makes sense|thats right|thats correct|correct|right|thats fine|thats all|fine|brilliant|wonderful|lovely|works|it works|that works|worked|that worked",
    innocent:
      "no problem|no worries|no thanks|no thank you|no need|no more|no idea|no way|no one|no doubt|no matter|no longer|no rush|no hurry|no wonder|no big deal|no questions|not bad|nothing else|nothing wrong|not wrong|no wait|never mind|nevermind|whats wrong|what is wrong|went wrong|anything wrong|is that wrong|is it wrong|is this wrong|something wrong|no further questions|no offense|again and again|once again|i mean it|i said thanks|wrong number|try again later",
    filler:
      "please|pls|plz|the|a|an|that|thats|this|these|those|it|its|is|are|was|were|be|so|just|still|totally|completely|absolutely|clearly|obviously|really|very|quite|also|im|i|you|your|youre|me|my|we|sorry|hey|bot|dude|man|hmm|uh|um|well|actually|answer|response|result|reply|but|not|do|does|did|can|could|would|will|of|to|in|on|at|for|from|with|by|as|or|if|there|here|afraid|think|believe|simply|carefully|more|all|code|solution|script|harder|properly|better|time|one|guess|give|get|have|has|completely|plain|only|want|need|like|tell|sir|ugh|lol|omg|seriously",
    ask: "what|whats|which|who|whose|where|when|why|how|hows|whom|any",
    further:
      "and|also|now|next|then|so|what about|how about|another question|one more question|why|how so|why not|what if|explain",
  },
  {
    language: "de",
    no: "nein|nee|nö|ne",
    yes: "ja|jo|klar",
    wrong:
      "falsch|nicht richtig|nicht korrekt|nicht gut|unsinn|quatsch|blödsinn|unbrauchbar|schlecht|daneben|immer noch falsch|nicht hilfreich|inkorrekt",
    fails:
      "das ist falsch|ist falsch|das stimmt nicht|stimmt nicht|das stimmt so nicht|das ist nicht richtig|das ist nicht korrekt|das war falsch|du liegst falsch|du hast mich falsch verstanden|das habe ich nicht gefragt|das war nicht meine frage|das meinte ich nicht|funktioniert nicht|das funktioniert nicht|es funktioniert nicht|geht nicht|das geht nicht|klappt nicht|das klappt nicht|kompiliert nicht|hilft nicht|das hilft nicht|geht immer noch nicht|funktioniert immer noch nicht",
    again:
      "nochmal|noch mal|noch einmal|erneut|andere antwort|eine andere antwort|neu|neuer versuch|anderes modell|ein anderes modell|ein besseres modell|nimm ein anderes modell|frag ein anderes modell|versuch ein anderes modell|nimm ein besseres modell|frag ein besseres modell",
    retry:
      "versuch es nochmal|versuchs nochmal|versuche es noch einmal|versuch es noch einmal|probier es nochmal|probiers nochmal|probier nochmal|nochmal versuchen|mach es nochmal|machs nochmal|bitte nochmal versuchen|denk nochmal nach",
    meant:
      "ich meinte|ich meine|ich wollte|ich habe gefragt|ich fragte|ich hatte gefragt|gemeint war|meine frage war|ich habe gesagt|ich sagte",
    thanks:
      "danke|vielen dank|super|perfekt|toll|prima|klasse|gut|passt|stimmt|richtig|genau|alles klar|verstanden|das ist gut|sehr gut|das reicht",
    innocent:
      "kein problem|nicht schlecht|nichts weiter|nein danke|keine sorge|nicht falsch|was ist falsch|schon gut|keine ahnung|nicht nötig|macht nichts",
    filler:
      "bitte|das|der|die|ein|eine|es|ist|war|so|leider|immer|noch|doch|ganz|völlig|komplett|total|einfach|mal|aber|du|dir|deine|antwort|ich|mir|in|den|dem|des|von|zu|und|mit|für|auf|sind|man|sorry|nicht|auch|code|lösung|einen|einer|zum",
    ask: "was|welche|welcher|welches|wer|wo|wann|warum|wieso|wie",
    further: "und|und was ist mit|jetzt|nun|dann|warum|wieso|außerdem|erklär",
  },
  {
    language: "fr",
    no: "non|nan|mais non|ben non",
    yes: "oui|ouais",
    wrong:
      "faux|pas bon|incorrect|mauvais|mauvaise réponse|nul|inutile|pas correct|erroné|n'importe quoi|toujours faux|erreur",
    fails:
      "c'est faux|c'est incorrect|ce n'est pas ça|c'est pas ça|ce n'est pas correct|ce n'est pas bon|c'est pas bon|ce n'est pas juste|ce n'est pas vrai|c'est pas vrai|tu te trompes|vous vous trompez|tu as tort|ce n'est pas ce que j'ai demandé|ce n'est pas ce que je voulais|pas ce que j'ai demandé|ça ne marche pas|ça marche pas|cela ne marche pas|ne fonctionne pas|ça ne fonctionne pas|cela ne fonctionne pas|ça ne compile pas|ne compile pas|tu n'as pas compris|tu as mal compris",
    again:
      "encore|encore une fois|réessaie|réessaye|réessayez|recommence|recommencez|autre réponse|une autre réponse|refais|à refaire",
    retry:
      "réessaie|réessayez|essaie encore|essaye encore|essayez encore|essaie encore une fois|recommence|refais le|donne moi une autre réponse",
    meant:
      "je voulais dire|je parlais de|je parle de|j'ai demandé|je voulais|je demandais|ma question était|j'ai dit",
    thanks:
      "merci|parfait|super|génial|bien|très bien|d'accord|ok|excellent|c'est bon|exact|exactement|c'est ça|bravo|compris|top",
    innocent:
      "pas de problème|pas de souci|pas mal|non merci|rien d'autre|pas grave|ce n'est pas grave|encore merci|merci encore|pas besoin",
    filler:
      "s'il|te|vous|plait|plaît|stp|svp|s'il te plaît|s'il vous plaît|le|la|les|un|une|de|du|des|ce|cette|c'est|est|ça|tout|toujours|complètement|vraiment|désolé|mais|tu|la réponse|réponse|je|pas|ne|en|à|au|aux|et|pour|dans|sur|il|elle|qui|code|fait",
    ask: "quoi|que|quel|quelle|quels|quelles|où|quand|pourquoi|comment|combien",
    further: "et|maintenant|alors|ensuite|puis|pourquoi|et si|aussi|explique",
  },
  {
    language: "es",
    no: "no|nop|que no|pues no",
    yes: "sí|si|claro",
    wrong:
      "mal|incorrecto|incorrecta|falso|equivocado|erróneo|no es correcto|no es correcta|está mal|mala respuesta|inútil|respuesta incorrecta|sigue mal|eso no",
    fails:
      "eso está mal|está mal|esto está mal|eso es falso|eso es incorrecto|eso no es correcto|no es correcto|eso no es cierto|no es cierto|no es verdad|no es así|te equivocas|estás equivocado|te has equivocado|te equivocaste|no es lo que pedí|no es lo que pregunté|eso no es lo que pedí|eso no es lo que pregunté|no es eso|no funciona|eso no funciona|sigue sin funcionar|no compila|no me sirve|no sirve|no entendiste|no me entendiste|no has entendido",
    again: "otra vez|de nuevo|nuevamente|otra respuesta|repite|una vez más|vuelve a intentarlo",
    retry:
      "inténtalo otra vez|inténtalo de nuevo|intenta otra vez|intenta de nuevo|intente de nuevo|inténtelo de nuevo|prueba otra vez|prueba de nuevo|vuelve a intentarlo|vuelve a intentar|hazlo de nuevo|hazlo otra vez|dame otra respuesta",
    meant:
      "me refería a|me refería|quise decir|quería decir|me refiero a|yo pregunté|pregunté por|te pregunté|pedí|te pedí|mi pregunta era|dije",
    thanks:
      "gracias|muchas gracias|perfecto|genial|bien|muy bien|vale|excelente|exacto|correcto|estupendo|eso es todo|entendido|así está bien",
    innocent:
      "no hay problema|no importa|no gracias|no está mal|nada más|no te preocupes|no pasa nada|no sé|no lo sé|no hace falta|gracias de nuevo",
    filler:
      "por favor|porfa|el|la|los|las|un|una|de|del|eso|esto|es|está|todavía|aún|completamente|totalmente|muy|lo siento|pero|la respuesta|respuesta|tu|se|en|y|a|al|con|para|que|lo|código",
    ask: "qué|cuál|cuáles|quién|dónde|cuándo|cómo|cuánto|por qué|cual|como",
    further: "y|ahora|entonces|luego|también|por qué|y si|explica",
  },
  {
    language: "pt",
    no: "não|nao|que não",
    yes: "sim|claro",
    wrong:
      "errado|errada|incorreto|incorreta|falso|ruim|inútil|resposta errada|continua errado|não está certo|tá errado",
    fails:
      "isso está errado|está errado|tá errado|isso tá errado|isso não está certo|isso não está correto|não está correto|não está certo|isso é falso|não é verdade|isso não é verdade|não é isso|você errou|você está errado|não foi o que pedi|não foi isso que pedi|não foi isso que perguntei|não funciona|isso não funciona|não funcionou|não compila|ainda não funciona|você não entendeu|não entendeste",
    again: "de novo|outra vez|novamente|mais uma vez|outra resposta|repete|repita|refaz|refaça",
    retry:
      "tenta de novo|tente de novo|tenta outra vez|tente outra vez|tente novamente|tenta novamente|faz de novo|faça de novo|me dá outra resposta",
    meant:
      "eu quis dizer|quis dizer|eu queria dizer|queria dizer|eu me referia|me referia a|eu perguntei|perguntei|eu pedi|minha pergunta era|eu disse",
    thanks:
      "obrigado|obrigada|valeu|perfeito|ótimo|ótima|bom|muito bem|muito bom|legal|certo|exato|excelente|entendi|é só isso|beleza",
    innocent:
      "sem problema|sem problemas|não obrigado|não obrigada|nada mal|não faz mal|mais nada|não sei|não precisa|não importa|tudo bem",
    filler:
      "por favor|pfv|o|a|os|as|um|uma|de|do|da|isso|isto|é|está|ainda|completamente|totalmente|mas|resposta|a resposta|sua|em|no|na|e|para|com|que|se|código|muito",
    ask: "qual|quais|quem|onde|quando|como|quanto|por que|porque|quê",
    further: "e|agora|então|depois|também|por quê|e se|explica|explique",
  },
  {
    language: "it",
    no: "no|macché",
    yes: "sì|certo",
    wrong:
      "sbagliato|sbagliata|errato|errata|falso|scorretto|non va bene|non è giusto|risposta sbagliata|inutile|ancora sbagliato",
    fails:
      "è sbagliato|è errato|questo è sbagliato|non è corretto|non è giusto|non è vero|non è così|hai sbagliato|ti sbagli|non è quello che ho chiesto|non ho chiesto questo|non è quello che volevo|non funziona|non compila|ancora non funziona|continua a non funzionare|non hai capito|non mi hai capito",
    again:
      "di nuovo|ancora|ancora una volta|un'altra volta|un'altra risposta|riprova|rifallo|ripeti",
    retry: "riprova|prova di nuovo|prova ancora|riprovaci|ritenta|rifallo|dammi un'altra risposta",
    meant:
      "intendevo|volevo dire|mi riferivo|ho chiesto|ti ho chiesto|la mia domanda era|intendo|ho detto",
    thanks:
      "grazie|grazie mille|perfetto|ottimo|bene|molto bene|benissimo|va bene|esatto|giusto|eccellente|capito|fantastico",
    innocent:
      "nessun problema|no grazie|non male|niente altro|nient'altro|non importa|non preoccuparti|non lo so|non serve|ancora grazie|grazie ancora",
    filler:
      "per favore|per piacere|il|lo|la|i|gli|le|un|una|di|del|della|questo|è|tutto|completamente|ma|risposta|la risposta|in|e|a|con|per|che|si|codice|scusa",
    ask: "cosa|che cosa|quale|quali|chi|dove|quando|come|perché|quanto",
    further: "e|adesso|ora|allora|poi|anche|perché|e se|spiega",
  },
  {
    language: "nl",
    no: "nee|neen|nee hoor",
    yes: "ja|jawel",
    wrong:
      "fout|verkeerd|onjuist|niet goed|niet juist|onzin|nutteloos|slecht|klopt niet|nog steeds fout",
    fails:
      "dat is fout|dat is verkeerd|dit is fout|dat klopt niet|dit klopt niet|klopt niet|dat is niet juist|dat is niet goed|dat is niet waar|je hebt het mis|dat vroeg ik niet|dat bedoelde ik niet|werkt niet|dat werkt niet|het werkt niet|dit werkt niet|werkt nog steeds niet|compileert niet|het compileert niet|je begrijpt me niet",
    again: "opnieuw|nog een keer|nogmaals|nog eens|een ander antwoord|ander antwoord",
    retry:
      "probeer opnieuw|probeer het opnieuw|probeer het nog eens|probeer nog eens|probeer nog een keer|probeer het nog een keer|doe het opnieuw|geef een ander antwoord",
    meant: "ik bedoelde|ik bedoel|ik vroeg|ik wilde|ik had gevraagd|mijn vraag was|ik zei",
    thanks:
      "dank je|dankjewel|bedankt|dank u|perfect|mooi|goed|prima|top|klopt|juist|precies|geweldig|oké|begrepen",
    innocent:
      "geen probleem|nee bedankt|nee dank je|niet slecht|niets anders|geen zorgen|maakt niet uit|laat maar|nogmaals bedankt",
    filler:
      "alsjeblieft|alstublieft|aub|de|het|een|dat|dit|is|was|helemaal|echt|nog|steeds|maar|je|jouw|antwoord|het antwoord|ik|van|in|op|en|voor|met|te|sorry|er",
    ask: "wat|welke|welk|wie|waar|wanneer|waarom|hoe|hoeveel",
    further: "en|nu|dan|ook|waarom|leg uit|en hoe zit het",
  },
  {
    language: "pl",
    no: "nie|no nie|nie nie",
    yes: "tak|jasne",
    wrong:
      "źle|błąd|błędnie|niepoprawnie|nieprawda|nieprawidłowo|niedobrze|bez sensu|zła odpowiedź|bzdura|nadal źle|niepoprawne",
    fails:
      "to nieprawda|to jest źle|to błąd|to jest błąd|to nie jest poprawne|to niepoprawne|to nie tak|mylisz się|nie o to pytałem|nie o to pytałam|nie o to mi chodziło|nie o to chodziło|nie działa|to nie działa|nadal nie działa|nie kompiluje się|nie zrozumiałeś",
    again: "jeszcze raz|ponownie|od nowa|inna odpowiedź|powtórz|znowu",
    retry:
      "spróbuj ponownie|spróbuj jeszcze raz|spróbuj znowu|zrób to jeszcze raz|popraw to|podaj inną odpowiedź",
    meant:
      "chodziło mi o|chodzi mi o|miałem na myśli|miałam na myśli|pytałem o|pytałam o|prosiłem o|prosiłam o|moje pytanie brzmiało",
    thanks:
      "dzięki|dziękuję|super|świetnie|dobrze|idealnie|ok|dobra|zgadza się|dokładnie|rozumiem|fajnie",
    innocent:
      "nie ma problemu|nie ma sprawy|nie dziękuję|nieźle|nic więcej|nie szkodzi|nieważne|nie wiem|nie trzeba",
    filler:
      "proszę|to|jest|w|na|z|i|a|się|ta|ten|całkowicie|zupełnie|kompletnie|ale|odpowiedź|ta odpowiedź|twoja|do|dla|o|że|od",
    ask: "co|jaki|jaka|jakie|który|która|kto|gdzie|kiedy|dlaczego|jak|ile|czemu",
    further: "i|a|teraz|potem|dlaczego|także|a co z|wyjaśnij",
  },
  {
    language: "ru",
    no: "нет|не|неа|да нет",
    yes: "да|ага|конечно",
    wrong:
      "неправильно|неверно|ошибка|не так|не то|плохо|чушь|бред|ерунда|неправда|бесполезно|неправильный ответ|неверный ответ|опять неправильно|снова неправильно",
    fails:
      "это неправильно|это неверно|это не так|это ошибка|это не то|это неправда|ты ошибся|ты ошибаешься|вы ошиблись|вы ошибаетесь|я не об этом|я не это спрашивал|я не это просил|не то что я просил|не работает|это не работает|все равно не работает|все еще не работает|не компилируется|код не работает|ты не понял|вы не поняли|ты меня не понял",
    again: "еще раз|ещё раз|снова|заново|опять|повтори|другой ответ|по новой",
    retry:
      "попробуй ещё раз|попробуй еще раз|попробуй снова|попробуйте ещё раз|попробуйте снова|переделай|попробуй заново|подумай ещё|дай другой ответ",
    meant:
      "я имел в виду|я имела в виду|имел в виду|я имею в виду|я спрашивал|я спрашивала|я просил|я просила|я хотел|я говорил|мой вопрос был|я про",
    thanks:
      "спасибо|благодарю|отлично|супер|хорошо|идеально|класс|круто|верно|правильно|точно|понятно|понял|ок|здорово",
    innocent:
      "не проблема|нет проблем|нет спасибо|неплохо|ничего страшного|больше ничего|не важно|неважно|не надо|не знаю|не беда",
    filler:
      "пожалуйста|это|в|на|с|и|а|но|же|всё|все|совсем|совершенно|полностью|ответ|твой|ваш|по|для|у|к|о|из|опять|снова|код|ты|я|мне",
    ask: "что|какой|какая|какие|какое|кто|где|когда|почему|зачем|как|сколько",
    further: "и|а|теперь|потом|тогда|почему|зачем|также|а что насчет|объясни",
  },
  {
    language: "uk",
    no: "ні|нє|не",
    yes: "так|авжеж",
    wrong:
      "неправильно|невірно|помилка|не так|не те|погано|маячня|неправда|знову неправильно|хибно",
    fails:
      "це неправильно|це невірно|це не так|це помилка|це неправда|це не те|ти помилився|ви помилилися|ти помиляєшся|не працює|це не працює|все одно не працює|не компілюється|я не про це|я не це питав|ти не зрозумів",
    again: "ще раз|знову|спочатку|повтори|інша відповідь",
    retry:
      "спробуй ще раз|спробуй знову|спробуйте ще раз|спробуйте знову|переробi|перероби|дай іншу відповідь",
    meant: "я мав на увазі|я мала на увазі|я питав|я питала|я просив|я просила|я хотів|моє питання",
    thanks: "дякую|чудово|супер|добре|відмінно|правильно|вірно|зрозуміло|клас|красно дякую",
    innocent:
      "немає проблем|ні дякую|непогано|нічого страшного|більше нічого|неважливо|не треба|не знаю",
    filler: "будь ласка|це|в|у|на|з|і|та|а|але|ж|все|зовсім|повністю|відповідь|твоя|по|для|до",
    ask: "що|який|яка|які|яке|хто|де|коли|чому|навіщо|як|скільки",
    further: "і|а|тепер|потім|тоді|чому|також|поясни",
  },
  {
    language: "cs, sk",
    no: "ne|nie|ale ne",
    yes: "ano|jo|áno",
    wrong: "špatně|chyba|nesprávně|nesprávne|zle|blbost|není to správně|nepravda|pořád špatně",
    fails:
      "to je špatně|to je chyba|to není pravda|to není správně|to nie je správne|to je zle|to neplatí|mýlíš se|mýliš sa|to není to|na to jsem se neptal|nefunguje|to nefunguje|nefunguje to|nejde to|stále nefunguje|nekompiluje se",
    again: "znovu|ještě jednou|ešte raz|znova|jiná odpověď",
    retry:
      "zkus to znovu|zkus to ještě jednou|zkus znovu|skús to znova|skús to ešte raz|zkuste to znovu",
    meant:
      "myslel jsem|myslela jsem|myslím tím|mal som na mysli|měl jsem na mysli|ptal jsem se|chtěl jsem|moje otázka byla",
    thanks:
      "díky|děkuji|ďakujem|vďaka|super|skvělé|skvele|dobře|dobre|výborně|perfektní|přesně|správně",
    innocent: "žádný problém|ne děkuji|není zač|nevadí|nic dalšího|není to špatné",
    filler: "prosím|to|je|v|na|s|a|i|se|sa|ta|ten|úplně|ale|odpověď|tvá|do|pro",
    ask: "co|čo|jaký|jaká|jaké|který|kdo|kde|kdy|proč|prečo|jak|ako|kolik",
    further: "a|teď|teraz|pak|potom|proč|také|vysvětli",
  },
  {
    language: "sv, no, da",
    no: "nej|nei|nä",
    yes: "ja|jo",
    wrong:
      "fel|feil|forkert|inte rätt|ikke riktig|ikke rigtigt|helt fel|galt|dåligt|fortfarande fel|ikke korrekt|inte korrekt",
    fails:
      "det är fel|det är inte rätt|det stämmer inte|stämmer inte|det er feil|det er galt|det stemmer ikke|stemmer ikke|det er ikke riktig|det er forkert|det er ikke rigtigt|det passer ikke|du har fel|du tar feil|du tager fejl|fungerar inte|det fungerar inte|funkar inte|det funkar inte|det fungerer ikke|fungerer ikke|det virker ikke|virker ikke|kompilerar inte|det var inte det jag frågade",
    again: "igen|en gång till|en gang til|på nytt|omigen|et annet svar|ett annat svar",
    retry:
      "försök igen|försök en gång till|prova igen|prøv igjen|prøv igen|prøv på nytt|gör om|prøv en gang til",
    meant:
      "jag menade|jag menar|jeg mente|jeg mener|jag frågade|jeg spurte|jeg spurgte|jag ville|min fråga var",
    thanks:
      "tack|takk|tak|perfekt|bra|fint|godt|super|toppen|utmärkt|precis|rätt|riktigt|tusen takk|mange tak",
    innocent:
      "inga problem|ingen problem|intet problem|nej tack|nei takk|nej tak|inte dåligt|inget mer|ikke dårlig|det gör inget",
    filler:
      "snälla|vær så snill|venligst|det|den|är|er|en|ett|et|i|på|av|af|och|og|helt|men|svaret|du|jag|jeg|för|for|til|till|som|vänligen",
    ask: "vad|hva|hvad|vilken|vilket|hvilken|hvilket|vem|hvem|var|hvor|när|når|hvornår|varför|hvorfor|hur|hvordan",
    further: "och|og|nu|nå|så|sen|varför|hvorfor|förklara",
  },
  {
    language: "fi",
    no: "ei|eikä|ei ei",
    yes: "kyllä|joo",
    wrong: "väärin|virhe|väärä vastaus|ei oikein|hölynpölyä|yhä väärin|huono",
    fails:
      "se on väärin|tuo on väärin|tämä on väärin|se ei ole oikein|tuo ei ole oikein|ei pidä paikkaansa|ei toimi|se ei toimi|tämä ei toimi|ei vieläkään toimi|olet väärässä|en kysynyt sitä|ei käänny",
    again: "uudestaan|uudelleen|vielä kerran|toinen vastaus",
    retry: "yritä uudelleen|yritä uudestaan|kokeile uudestaan|kokeile uudelleen|tee uudestaan",
    meant: "tarkoitin|minä tarkoitin|kysyin|halusin|kysymykseni oli",
    thanks: "kiitos|kiitti|hienoa|hyvä|täydellinen|selvä|mahtavaa|oikein|juuri niin|loistavaa",
    innocent: "ei hätää|ei kiitos|ei haittaa|ei hassumpi|ei muuta|ei se mitään",
    filler: "ole hyvä|se|tuo|tämä|on|ja|ihan|täysin|mutta|vastaus|vielä",
    ask: "mikä|mitä|mitkä|kuka|missä|milloin|miksi|miten|kuinka|paljonko",
    further: "ja|nyt|sitten|entä|miksi|selitä|myös",
  },
  {
    language: "hu",
    no: "nem|dehogy",
    yes: "igen",
    wrong: "rossz|hibás|helytelen|téves|nem jó|nem helyes|rossz válasz|még mindig rossz|nem igaz",
    fails:
      "ez rossz|ez hibás|ez nem jó|ez nem helyes|ez nem igaz|ez téves|tévedsz|nem ezt kérdeztem|nem ezt kértem|nem működik|ez nem működik|még mindig nem működik|nem fordul le|félreértettél",
    again: "újra|még egyszer|megint|másik választ",
    retry: "próbáld újra|próbáld meg újra|próbáld meg még egyszer|próbáld még egyszer|csináld újra",
    meant: "úgy értettem|arra gondoltam|azt kérdeztem|azt kértem|én azt",
    thanks: "köszönöm|köszi|kösz|szuper|tökéletes|jó|nagyszerű|helyes|rendben|remek",
    innocent: "nem probléma|nem gond|nem köszönöm|nem rossz|semmi más|nem baj|nem tudom",
    filler: "kérlek|kérem|a|az|ez|és|de|teljesen|válasz|nagyon",
    ask: "mi|mit|melyik|ki|hol|mikor|miért|hogyan|hogy|mennyi",
    further: "és|most|akkor|miért|magyarázd",
  },
  {
    language: "ro",
    no: "nu|ba nu",
    yes: "da",
    wrong: "greșit|incorect|fals|gresit|nu e bine|nu este corect|răspuns greșit|tot greșit",
    fails:
      "e greșit|este greșit|asta e greșit|nu e corect|nu este corect|nu e adevărat|nu este adevărat|te înșeli|ai greșit|nu asta am întrebat|nu asta am cerut|nu funcționează|nu merge|tot nu merge|nu compilează|nu ai înțeles",
    again: "din nou|încă o dată|iar|alt răspuns",
    retry: "încearcă din nou|mai încearcă|încearcă încă o dată|încercați din nou|fă din nou",
    meant:
      "voiam să spun|am vrut să spun|mă refeream la|mă refeream|am întrebat|am cerut|întrebarea mea era",
    thanks: "mulțumesc|mersi|perfect|super|bine|foarte bine|excelent|corect|exact|grozav",
    innocent: "nicio problemă|nu mulțumesc|nu e rău|nimic altceva|nu contează|nu știu",
    filler: "te rog|vă rog|e|este|asta|un|o|și|de|în|la|complet|dar|răspunsul|cu|pe",
    ask: "ce|care|cine|unde|când|de ce|cum|cât",
    further: "și|acum|apoi|de ce|explică",
  },
  {
    language: "el",
    no: "όχι|οχι",
    yes: "ναι",
    wrong: "λάθος|λαθος|σωστό δεν είναι|δεν είναι σωστό|λανθασμένο|άχρηστο|πάλι λάθος",
    fails:
      "είναι λάθος|αυτό είναι λάθος|δεν είναι σωστό|αυτό δεν είναι σωστό|δεν ισχύει|κάνεις λάθος|έκανες λάθος|δεν ρώτησα αυτό|δεν δουλεύει|δεν λειτουργεί|αυτό δεν λειτουργεί|δεν κατάλαβες",
    again: "ξανά|πάλι|άλλη μια φορά|άλλη απάντηση",
    retry: "δοκίμασε ξανά|προσπάθησε ξανά|ξαναπροσπάθησε|δοκιμάστε ξανά|κάντο ξανά",
    meant: "εννοούσα|εννοώ|ρώτησα|ήθελα|ζήτησα|η ερώτησή μου",
    thanks: "ευχαριστώ|τέλεια|ωραία|καλά|πολύ καλά|μπράβο|σωστά|σωστό|εντάξει|υπέροχα",
    innocent: "κανένα πρόβλημα|όχι ευχαριστώ|τίποτα άλλο|δεν πειράζει|δεν ξέρω|όχι άσχημα",
    filler:
      "παρακαλώ|σε παρακαλώ|είναι|το|η|ο|τα|αυτό|και|τελείως|εντελώς|αλλά|απάντηση|του|της|στο|στη|για",
    ask: "τι|ποιος|ποια|ποιο|πού|πότε|γιατί|πώς|πόσο",
    further: "και|τώρα|μετά|γιατί|εξήγησε",
  },
  {
    language: "tr",
    no: "hayır|yok|olmaz",
    yes: "evet|tamam",
    wrong:
      "yanlış|hatalı|doğru değil|kötü|saçma|yanlış cevap|hâlâ yanlış|hala yanlış|olmadı|işe yaramaz",
    fails:
      "bu yanlış|bu doğru değil|bu hatalı|yanılıyorsun|yanlış anladın|beni yanlış anladın|bunu sormadım|bunu istemedim|çalışmıyor|bu çalışmıyor|kod çalışmıyor|hala çalışmıyor|hâlâ çalışmıyor|işe yaramadı|derlenmiyor",
    again: "tekrar|bir daha|yeniden|başka bir cevap|bir kez daha|baştan",
    retry: "tekrar dene|tekrar deneyin|yeniden dene|bir daha dene|tekrar yap|baştan yap",
    meant: "demek istediğim|kastettiğim|ben şunu sordum|sorduğum|sorum şuydu|demek istedim",
    thanks:
      "teşekkürler|teşekkür ederim|sağ ol|sağol|harika|süper|mükemmel|güzel|çok iyi|iyi|doğru|anladım|tamamdır",
    innocent:
      "sorun değil|sorun yok|hayır teşekkürler|fena değil|başka bir şey yok|önemli değil|boş ver|bilmiyorum",
    filler: "lütfen|bu|şu|o|bir|çok|tamamen|ama|cevap|cevabın|ve|de|da|için|ile|mi|mı",
    ask: "ne|nedir|hangi|kim|nerede|neden|niye|nasıl|kaç",
    further: "ve|şimdi|peki|sonra|neden|açıkla|ayrıca",
  },
  {
    language: "ar",
    no: "لا|كلا",
    yes: "نعم|أجل",
    wrong: "خطأ|غلط|غير صحيح|ليس صحيحا|خاطئ|خاطئة|سيئ|إجابة خاطئة|مش صح|لا يزال خطأ",
    fails:
      "هذا خطأ|هذا غير صحيح|هذا ليس صحيحا|هذا غلط|إجابتك خاطئة|أنت مخطئ|لقد أخطأت|ليس هذا ما سألت|ليس هذا ما طلبت|ليس هذا ما قصدته|لا يعمل|هذا لا يعمل|الكود لا يعمل|لم ينجح|لم يعمل|لم تفهم|مش شغال",
    again: "مرة أخرى|مرة ثانية|من جديد|ثانية|أعد|كرر|إجابة أخرى",
    retry:
      "حاول مرة أخرى|حاول مجددا|حاول ثانية|حاول مرة ثانية|جرب مرة أخرى|أعد المحاولة|اعد المحاولة",
    meant: "أقصد|قصدت|كنت أقصد|أعني|سألت عن|طلبت|سؤالي كان",
    thanks: "شكرا|شكرا لك|ممتاز|رائع|جيد|جيد جدا|صحيح|تمام|أحسنت|مفهوم",
    innocent: "لا مشكلة|لا بأس|لا شكرا|لا شيء آخر|ليس سيئا|لا عليك|لا أعرف|شكرا مرة أخرى",
    filler: "من فضلك|رجاء|لو سمحت|هذا|هذه|هو|هي|تماما|لكن|الإجابة|الجواب|في|و|على|إلى|عن|الكود",
    ask: "ما|ماذا|من|أين|متى|لماذا|كيف|كم|أي|هل",
    further: "و|الآن|ثم|لماذا|وماذا عن|اشرح|أيضا",
  },
  {
    language: "fa, ur",
    no: "نه|نخیر|نہیں|خیر",
    yes: "بله|آره|ہاں",
    wrong: "اشتباه|غلط|نادرست|درست نیست|غلط ہے|صحیح نہیں|بد",
    fails:
      "اشتباه است|این اشتباه است|اشتباهه|درست نیست|این درست نیست|غلط است|کار نمی کند|کار نمیکند|کار نمیکنه|یہ غلط ہے|یہ صحیح نہیں|کام نہیں کر رہا|کام نہیں کرتا|منظورم این نبود",
    again: "دوباره|یک بار دیگر|دوبارہ|پھر سے|ایک بار پھر",
    retry:
      "دوباره امتحان کن|دوباره تلاش کن|دوباره سعی کن|دوبارہ کوشش کرو|دوبارہ کوشش کریں|پھر کوشش کریں",
    meant: "منظورم|منظور من|میرا مطلب|پرسیدم|میں نے پوچھا",
    thanks: "ممنون|مرسی|متشکرم|عالی|خوب|شکریہ|بہت اچھا|درست|ٹھیک",
    innocent: "مشکلی نیست|نه ممنون|بد نیست|کوئی بات نہیں|نہیں شکریہ",
    filler: "لطفا|این|آن|است|کاملا|ولی|جواب|براہ کرم|یہ|ہے|بالکل|کریں|کرو",
    ask: "چه|چی|کدام|کی|کجا|چرا|چگونه|چطور|کیا|کون|کہاں|کب|کیوں|کیسے",
    further: "و|حالا|بعد|چرا|اور|اب|کیوں",
  },
  {
    language: "he",
    no: "לא",
    yes: "כן",
    wrong: "טעות|שגוי|לא נכון|לא טוב|גרוע|תשובה שגויה|עדיין לא נכון",
    fails:
      "זה לא נכון|זו טעות|זה שגוי|אתה טועה|טעית|לא את זה שאלתי|לא זה מה שביקשתי|לא עובד|זה לא עובד|עדיין לא עובד|לא הבנת",
    again: "שוב|עוד פעם|מחדש|תשובה אחרת",
    retry: "נסה שוב|נסי שוב|תנסה שוב|תנסה עוד פעם",
    meant: "התכוונתי|אני מתכוון|שאלתי|ביקשתי|השאלה שלי",
    thanks: "תודה|תודה רבה|מעולה|מצוין|טוב|יופי|נכון|מושלם|הבנתי",
    innocent: "אין בעיה|לא תודה|לא רע|שום דבר אחר|לא משנה|לא יודע",
    filler: "בבקשה|זה|זו|את|של|ממש|לגמרי|אבל|התשובה|על",
    ask: "מה|איזה|מי|איפה|מתי|למה|איך|כמה",
    further: "ו|עכשיו|אז|למה|הסבר",
  },
  {
    language: "hi",
    no: "नहीं|ना|जी नहीं",
    yes: "हाँ|हां",
    wrong: "गलत|ग़लत|सही नहीं|गलत है|बेकार|गलत जवाब|ठीक नहीं|फिर गलत",
    fails:
      "यह गलत है|ये गलत है|यह सही नहीं है|सही नहीं है|ये सही नहीं है|आप गलत हैं|तुम गलत हो|मैंने यह नहीं पूछा|काम नहीं कर रहा|काम नहीं कर रहा है|यह काम नहीं करता|काम नहीं करता|आप नहीं समझे",
    again: "फिर से|दोबारा|एक बार फिर|दूसरा जवाब",
    retry:
      "फिर से कोशिश करो|फिर से कोशिश करें|दोबारा कोशिश करो|दोबारा कोशिश करें|फिर से प्रयास करें|फिर से करो",
    meant: "मेरा मतलब|मेरा मतलब था|मैंने पूछा|मेरा सवाल था|मैं पूछ रहा था",
    thanks: "धन्यवाद|शुक्रिया|बहुत अच्छा|बढ़िया|अच्छा|सही|सही है|ठीक है|समझ गया",
    innocent: "कोई बात नहीं|कोई समस्या नहीं|नहीं धन्यवाद|बुरा नहीं|और कुछ नहीं|पता नहीं",
    filler: "कृपया|यह|ये|वह|है|हैं|बिल्कुल|पूरी तरह|लेकिन|जवाब|उत्तर|का|की|के|में|करो|करें|को|से",
    ask: "क्या|कौन|कौनसा|कहाँ|कब|क्यों|कैसे|कितना",
    further: "और|अब|फिर|क्यों|समझाओ",
  },
  {
    language: "bn",
    no: "না",
    yes: "হ্যাঁ",
    wrong: "ভুল|ঠিক না|ঠিক নয়|সঠিক নয়|ভুল উত্তর",
    fails: "এটা ভুল|এটি ভুল|এটা ঠিক না|এটা সঠিক নয়|কাজ করছে না|এটা কাজ করছে না",
    again: "আবার|আরেকবার|পুনরায়",
    retry: "আবার চেষ্টা করো|আবার চেষ্টা করুন|আবার চেষ্টা কর",
    meant: "আমি বলতে চেয়েছিলাম|আমি বোঝাতে চেয়েছি|আমি জিজ্ঞেস করেছিলাম|মানে",
    thanks: "ধন্যবাদ|দারুণ|ভালো|ঠিক আছে|চমৎকার|সঠিক",
    innocent: "কোনো সমস্যা নেই|না ধন্যবাদ|খারাপ না",
    filler: "দয়া করে|এটা|এটি|উত্তর|একদম|কিন্তু",
    ask: "কি|কী|কে|কোথায়|কখন|কেন|কিভাবে|কত",
    further: "এবং|এখন|আর|কেন",
  },
  {
    language: "id, ms",
    no: "tidak|bukan|nggak|gak|tak",
    yes: "ya|iya",
    wrong: "salah|keliru|tidak benar|tidak tepat|bukan itu|jawaban salah|masih salah|tidak betul",
    fails:
      "itu salah|ini salah|itu tidak benar|ini tidak benar|jawabanmu salah|jawaban anda salah|kamu salah|anda salah|bukan itu maksud saya|bukan itu yang saya tanya|bukan itu yang saya minta|tidak berfungsi|tidak bekerja|tidak jalan|masih tidak bisa|ini tidak berfungsi",
    again: "lagi|sekali lagi|ulangi|ulang|jawaban lain|semula",
    retry: "coba lagi|cuba lagi|coba sekali lagi|silakan coba lagi|coba ulang",
    meant: "maksud saya|maksudku|yang saya maksud|saya bertanya|saya minta|pertanyaan saya",
    thanks: "terima kasih|makasih|bagus|sempurna|mantap|baik|benar|oke|hebat",
    innocent:
      "tidak masalah|tidak apa apa|tidak terima kasih|tidak buruk|tidak ada lagi|tidak tahu",
    filler:
      "tolong|mohon|silakan|itu|ini|yang|sangat|sama sekali|tapi|jawaban|jawabannya|di|dan|dari|untuk|adalah",
    ask: "apa|apakah|siapa|mana|di mana|kapan|kenapa|mengapa|bagaimana|berapa",
    further: "dan|sekarang|lalu|kenapa|jelaskan|juga",
  },
  {
    language: "vi",
    no: "không|ko|không phải",
    yes: "có|vâng|dạ",
    wrong: "sai|sai rồi|không đúng|chưa đúng|nhầm|nhầm rồi|không đúng rồi|vẫn sai|sai bét",
    fails:
      "cái đó sai|cái này sai|điều đó sai|điều đó không đúng|như vậy là sai|bạn sai rồi|bạn nhầm rồi|câu trả lời sai|tôi không hỏi cái đó|không chạy được|không hoạt động|nó không hoạt động|vẫn không chạy",
    again: "lại|làm lại|lần nữa|một lần nữa|trả lời lại|câu trả lời khác",
    retry: "thử lại|hãy thử lại|thử lại đi|thử lại lần nữa|làm lại đi",
    meant: "ý tôi là|ý mình là|ý em là|tôi muốn nói|tôi hỏi|tôi đang hỏi",
    thanks: "cảm ơn|cám ơn|tuyệt vời|tuyệt|tốt|tốt lắm|hoàn hảo|đúng|đúng rồi|hay quá",
    innocent: "không sao|không có gì|không cảm ơn|không tệ|không cần|không biết",
    filler:
      "làm ơn|xin|vui lòng|hãy|đi|nhé|rồi|là|của|này|đó|hoàn toàn|nhưng|câu trả lời|và|ở|bạn|cho",
    ask: "gì|nào|ai|đâu|khi nào|tại sao|vì sao|thế nào|bao nhiêu|như thế nào",
    further: "và|còn|bây giờ|vậy|tại sao|giải thích",
  },
  {
    language: "th",
    no: "ไม่|ไม่ใช่|เปล่า",
    yes: "ใช่|ได้",
    wrong: "ผิด|ผิดแล้ว|ไม่ถูก|ไม่ถูกต้อง|ยังผิด|ไม่จริง|ตอบผิด",
    fails: "นั่นผิด|อันนี้ผิด|มันผิด|คำตอบผิด|คุณผิด|ไม่ใช่สิ่งที่ฉันถาม|ใช้ไม่ได้|ใช้งานไม่ได้|ยังใช้ไม่ได้|ไม่ทำงาน",
    again: "อีกครั้ง|ใหม่|อีกที|คำตอบอื่น",
    retry: "ลองใหม่|ลองอีกครั้ง|ลองใหม่อีกครั้ง|ลองอีกที|ทำใหม่|ตอบใหม่",
    meant: "ฉันหมายถึง|ผมหมายถึง|หมายถึง|ฉันถาม|ผมถาม",
    thanks: "ขอบคุณ|ขอบคุณครับ|ขอบคุณค่ะ|ดีมาก|เยี่ยม|ถูกต้อง|สุดยอด",
    innocent: "ไม่เป็นไร|ไม่มีปัญหา|ไม่เลว|ไม่ต้อง|ไม่รู้",
    filler: "กรุณา|โปรด|ครับ|ค่ะ|คะ|นะ|เลย|ที่|นี้|นั้น|ของ|แต่|คำตอบ|คือ|ใน|หน่อย|แล้ว",
    ask: "อะไร|ไหน|ใคร|เมื่อไหร่|ทำไม|อย่างไร|ยังไง|เท่าไหร่",
    further: "และ|แล้ว|ตอนนี้|ทำไม|อธิบาย",
  },
  {
    language: "zh",
    no: "不|不是|不不|没有|不是的|不是這樣|不是这样",
    yes: "是|好|是的|好的|对",
    wrong:
      "不对|不對|错|错了|錯了|错误|錯誤|不正确|不正確|不行|没用|沒用|答错了|答錯了|还是不对|還是不對|又错了|胡说|不好|有误|不准确",
    fails:
      "这不对|這不對|那不对|这是错的|這是錯的|你错了|你錯了|你说错了|你弄错了|你搞错了|答案不对|答案是错的|答案错了|不是这个|不是我问的|不是我要的|我不是问这个|我问的不是这个|答非所问|不能用|不能运行|运行不了|无法运行|还是不行|還是不行|还是报错|还是错的|没有用|不起作用|你没理解|你理解错了|编译不过",
    again:
      "再来|再來|再来一次|再來一次|再一次|重来|重新来|重做|换一个|換一個|重新回答|再答一次|重新生成|再说一遍",
    retry:
      "再试一次|再試一次|再试试|再試試|重试|重試|重新回答|请重新回答|重新来一次|重新试|再想想|换个答案|換個答案",
    meant:
      "我是说|我是說|我的意思是|我说的是|我說的是|我问的是|我問的是|我要的是|我指的是|我想问的是",
    thanks:
      "谢谢|謝謝|多谢|感谢|很好|太好了|完美|好的|不错|不錯|正确|没错|對|很棒|明白了|懂了|厉害",
    innocent:
      "没问题|沒問題|没关系|不客气|不用|不用了|不用谢|不要紧|不过|不知道|没事|不同|错误码|错误代码|再见|谢谢不用了",
    filler:
      "请|請|的|了|吧|啊|呢|吗|嘛|是|这|那|这个|那个|你|我|就|都|还|也|完全|但|但是|答案|回答|一下|在|和|有|呀|给我",
    ask: "什么|什麼|哪|哪个|哪里|谁|何时|为什么|為什麼|怎么|怎麼|如何|几|多少|哪些|哪座|是哪",
    further: "那|那么|现在|然后|还有|为什么|解释|接下来",
  },
  {
    language: "ja",
    no: "いいえ|いや|違|ちがう|ううん",
    yes: "はい|うん|ええ",
    wrong:
      "違う|違います|違うよ|違いますよ|ちがいます|間違い|間違い です|間違ってる|間違っています|間違ってます|間違えてる|間違えています|正しくない|正しくありません|ダメ|だめ|ダメです|だめです|そうじゃない|そうではない|そうではありません|まだ違う|誤り|役に立たない|不正解",
    fails:
      "それは違う|それは違います|それは間違い|それは間違っています|これは違います|これは間違い|答えが違う|答えが違います|答えが間違っています|あなたは間違っています|聞いたのはそれではない|動かない|動きません|動作しない|動作しません|まだ動かない|うまくいかない|うまくいきません|コンパイルできない|コンパイルできません",
    again: "もう一度|もう一回|もういちど|再度|やり直し|やり直して|別の答え|再生成",
    retry:
      "もう一度やって|もう一度試して|もう一度お願いします|やり直して|やり直してください|もう一回やって|もう一度考えて|再試行|別の答えをください",
    meant:
      "そうじゃなくて|そうではなくて|私が聞いたのは|聞きたいのは|私が言ったのは|私の質問は|質問は|意味は|言いたかったのは",
    thanks:
      "ありがとう|ありがとうございます|完璧|素晴らしい|すごい|いいね|了解|わかりました|なるほど|正解|助かりました|ok",
    innocent:
      "問題ない|問題ありません|大丈夫|大丈夫です|悪くない|いいえ結構です|違いは|違いを|間違いない|いいえ大丈夫です",
    filler:
      "です|ます|ください|下さい|お願い|お願いします|は|が|を|に|の|で|と|も|よ|ね|か|な|て|し|それ|これ|あれ|その|この|答え|回答|全然|完全に|でも|から|さ|だ",
    ask: "何|なに|なん|どこ|どの|どれ|誰|いつ|なぜ|どうして|どう|いくつ|いくら",
    further: "それから|次に|では|じゃあ|なぜ|今度は|説明して|そして",
  },
  {
    language: "ko",
    no: "아니|아니요|아뇨|아니야|아닙니다|아니오",
    yes: "네|예|응",
    wrong: "틀렸*|틀린*|잘못*|오답*|아니잖아*|맞지 않*|정확하지 않*|별로*|엉터리*|또 틀렸*|쓸모없*",
    fails:
      "틀렸어요|틀렸습니다|그건 틀렸*|그게 아니*|그건 아니*|그거 아니*|그건 맞지 않*|잘못됐*|잘못 알*|잘못 이해*|작동하지 않*|작동 안*|안 돼*|안돼*|안 됩니다|안됩니다|여전히 안*|실행이 안*|컴파일이 안*|제가 물은 건 그게 아니*",
    again: "다시|다시 한번|다시 한 번|한 번 더|한번 더|다른 답*|재생성",
    retry:
      "다시 해*|다시 시도*|다시 대답*|다시 답변*|다시 답해*|다시 생각*|다시 한번 해*|다시 한 번 해*|다시 써*",
    meant:
      "내 말은|제 말은|내가 말한 건|제가 말한 건|내가 물은 건|제가 물은 건|제가 물어본*|내가 물어본*|내 질문은|제 질문은",
    thanks: "고마워*|고맙*|감사*|완벽*|좋아*|좋네*|훌륭*|최고*|맞아*|맞습니다|잘했*|알겠*|이해했*",
    innocent:
      "문제없*|문제 없*|괜찮*|나쁘지 않*|아니 괜찮*|아니요 괜찮*|상관없*|아닌데도|뭐가 잘못*",
    filler:
      "제발|좀|부탁*|주세요|줘|해줘|해주세요|그건|그거|이건|이거|그게|이게|완전*|정말|진짜|근데|하지만|답|답이|대답|대답이|답변|답변이",
    ask: "뭐*|무엇*|어디*|언제*|왜|어떻게|누구*|누가|어느|어떤|얼마*|몇",
    further: "그리고|이제|그럼|그러면|왜|설명*|다음",
  },
  {
    language: "sw",
    no: "hapana|la",
    yes: "ndiyo",
    wrong: "si sahihi|makosa|kosa|sio sahihi|vibaya|umekosea",
    fails: "hiyo si sahihi|hiyo sio sahihi|umekosea|ni makosa|haifanyi kazi",
    again: "tena|mara nyingine",
    retry: "jaribu tena|jaribu tena tafadhali|rudia tena",
    meant: "nilimaanisha|namaanisha|niliuliza",
    thanks: "asante|asante sana|vizuri|sawa|nzuri|safi",
    innocent: "hakuna shida|hapana asante|si mbaya|hamna shida",
    filler: "tafadhali|hiyo|hii|ni|ya|wa|kwa|na|jibu|lakini",
    ask: "nini|nani|wapi|lini|kwa nini|vipi|gani",
    further: "na|sasa|kisha|kwa nini",
  },
];

/** Signs people send instead of words. */
export const feedbackSigns = {
  accepted: ["👍", "✅", "🎉", "❤", "👏", "🙏", "💯", "🙌", "😍", "🔥", "👌"],
  rejected: ["👎", "❌", "🚫", "😡", "🤦"],
  again: ["🔁", "🔄", "♻"],
} as const;
